import { join } from "node:path";
import {
  type AdminResponse,
  type CommandContext,
  createHealth,
  createMetrics,
  type ExitCode,
  type Health,
  type Logger,
  type Metrics,
  runDaemon,
  type Task,
} from "@newleaf/daemon";
import { type Observation, observeRotation } from "@newleaf/observe";
import { type Consumer, isProved, signalProcess, startRotation } from "@newleaf/rotation";
import { createWorkloadApiClient, type X509Source } from "@newleaf/spiffe";
import { type HelperConfig, hasX509 } from "../config/config.ts";
import { createReloadConsumer, createToldConsumer, type WrittenGate } from "../reload/told-consumer.ts";
import { createPublisher, type Publisher } from "../write/publisher.ts";
import { createFilesConsumer } from "./files-consumer.ts";
import { groupOf } from "./groups.ts";
import { serveHealthChecks } from "./health-server.ts";
import { createJwtFiles } from "./jwt-files.ts";
import { createNotifier } from "./notifier.ts";
import { publisherOptions } from "./one-shot.ts";
import { passSignals } from "./pass-signals.ts";
import { createServedCheck, type ServedCheck } from "./served-check.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";
import { createWriteStatuses, type WriteStatuses } from "./write-statuses.ts";
import { watchIdentity } from "./x509-source.ts";

/** Keeps the files current until stopped. Resolves with the exit code of a wrapped command, if there is one. */
export async function runHelper(
  config: HelperConfig,
  context: CommandContext,
  logger: Logger,
): Promise<ExitCode> {
  const health = createHealth();
  const metrics = await createMetrics({ process: true });
  const helper = await createParts(config, health, metrics, logger);
  const { supervisor } = helper;
  const wrapped = config.command?.wrapped === true;
  const over = new AbortController();
  if (wrapped) void supervisor?.ended.then(() => over.abort(new Error("the command has ended")));
  await using _health =
    config.healthChecks && (await serveHealthChecks(config.healthChecks, helper.statuses, health));
  using _signals = wrapped ? passSignals((name) => supervisor?.forward(name)) : undefined;

  const { directory, publish } = config.files;
  logger.info({ agent: config.agentAddress, directory, publish }, "helper started");
  const identity: IdentityRun = { source: undefined, observation: undefined };
  const tasks: Task[] = [
    ...(hasX509(config.files)
      ? [{ name: "x509", run: (signal: AbortSignal) => keepX509(helper, identity, signal) }]
      : []),
    ...jwtTasks(helper),
    ...(supervisor === undefined
      ? []
      : [{ name: "command", run: stopAtEnd(supervisor, context, over.signal) }]),
  ];
  await runDaemon(
    { ...context, logger, signal: AbortSignal.any([context.signal, over.signal]) },
    {
      health,
      metrics,
      tasks,
      routes: {
        "/rotations": (url) => identity.observation?.routes["/rotations"](url) ?? noIdentityYet,
      },
      reload: async () => {
        if (wrapped) supervisor?.forward("SIGHUP");
        await identity.source?.reload();
      },
    },
  );
  return wrapped ? supervisor?.ended : 0;
}

const noIdentityYet: AdminResponse = {
  status: 503,
  body: `${JSON.stringify({ error: "no identity yet" })}\n`,
};

interface Helper {
  readonly config: HelperConfig;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly statuses: WriteStatuses;
  readonly publisher: Publisher;
  readonly served: ServedCheck;
  readonly supervisor: Supervisor | undefined;
  readonly countReload: (reload: string, outcome: "done" | "failed" | "not_served") => void;
}

/** What is known of the identity once there is one. */
interface IdentityRun {
  source: X509Source | undefined;
  observation: Observation | undefined;
}

async function createParts(
  config: HelperConfig,
  health: Health,
  metrics: Metrics,
  logger: Logger,
): Promise<Helper> {
  const { files, jwtSvids, command, renewSignal } = config;
  const jwtNames = [
    ...(files.jwtBundle === undefined ? [] : [files.jwtBundle]),
    ...jwtSvids.map(({ fileName }) => fileName),
  ];
  const reloads = metrics.counter({
    name: "newleaf_helper_reloads_total",
    help: "Attempts to tell a process of a new certificate, by how they ended",
    labelNames: ["reload", "outcome"],
  });
  const served = createServedCheck();
  if (hasX509(files)) health.addReadiness("identity", () => ({ ok: false, reason: "no identity yet" }));
  health.addReadiness("served", () => served.check());
  return {
    config,
    health,
    metrics,
    logger,
    statuses: createWriteStatuses(
      hasX509(files),
      jwtNames.map((name) => join(files.directory, name)),
    ),
    publisher: createPublisher({ ...publisherOptions(config), groupOf: groupOf(config) }),
    served,
    supervisor: command && createSupervisor({ command, renewSignal, logger }),
    countReload: (reload, outcome) => reloads.inc({ reload, outcome }),
  };
}

/** One rotation for as long as the helper runs: source, files, those to be told, and what is shown of it. */
async function keepX509(helper: Helper, identity: IdentityRun, signal: AbortSignal): Promise<void> {
  const { config, logger, statuses, health, metrics, publisher } = helper;
  await using source = await watchIdentity(config, {
    logger,
    statuses,
    signal,
    waitMs: Number.POSITIVE_INFINITY,
  });
  const files = createFilesConsumer({
    files: config.files,
    publisher,
    statuses,
    logger,
    current: () => ({ svid: source.svid(), bundles: source.context().bundles }),
  });
  const timeouts = config.reloads.map(
    ({ timeoutMs, verify }) => timeoutMs + (verify?.timeoutMs ?? 0) + 5_000,
  );
  await using rotation = startRotation(source, [files, ...toldConsumers(helper, files.written)], {
    stageTimeoutMs: Math.max(30_000, ...timeouts),
    retry: { baseMs: 200, maxMs: 10_000 },
  });
  await using observation = observeRotation({ rotation, source, metrics, health, logger });
  Object.assign(identity, { source, observation });
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

function toldConsumers(helper: Helper, written: WrittenGate): readonly Consumer[] {
  const { config, logger, served, supervisor, countReload } = helper;
  const command =
    supervisor &&
    createToldConsumer("command", written, async () => {
      await supervisor.renew();
      return [];
    });
  const pidFile =
    config.pidFile === undefined
      ? undefined
      : createToldConsumer("pid_file", written, async () => {
          await signalPidFile(config);
          return [];
        });
  const reloads = config.reloads.map((reload) =>
    createReloadConsumer(reload, written, {
      logger,
      intermediatesInBundle: config.files.addIntermediatesToBundle,
      onAttempt: (name, error, reports) => {
        served.note(name, reports);
        countReload(name, error !== undefined ? "failed" : reports.every(isProved) ? "done" : "not_served");
      },
    }),
  );
  return [command, pidFile, ...reloads].filter((consumer) => consumer !== undefined);
}

async function signalPidFile({ pidFile, renewSignal }: HelperConfig): Promise<void> {
  if (pidFile !== undefined) await signalProcess({ pidFile }, renewSignal ?? "SIGHUP");
}

function jwtTasks(helper: Helper): readonly Task[] {
  const { config, logger, publisher, statuses, health, supervisor } = helper;
  if (statuses.jwt.size === 0) return [];
  let started = hasX509(config.files);
  const notifier = createNotifier(async () => {
    // A program may need all files: it starts once they are there, of whichever kind they are.
    if (statuses.x509 === "unwritten" || [...statuses.jwt.values()].includes("unwritten")) return;
    if (started && !config.renewSignalOnJwt) return;
    started = true;
    await supervisor?.renew();
    await signalPidFile(config);
  }, logger);
  const client = createWorkloadApiClient({ address: config.agentAddress, logger });
  const files = createJwtFiles({
    config,
    client,
    publisher,
    statuses,
    logger,
    onWritten: () => notifier.notify(),
  });
  health.addReadiness("jwt", () => files.check(new Date()));
  return [
    { name: "jwt notifier", run: (signal) => notifier.run(signal) },
    ...(config.files.jwtBundle === undefined
      ? []
      : [{ name: "jwt bundles", run: (signal: AbortSignal) => files.watchBundles(signal) }]),
    ...config.jwtSvids.map((svid) => ({
      name: `jwt ${svid.fileName}`,
      run: (signal: AbortSignal) => files.keepSvid(svid, signal),
    })),
  ];
}

/** Ends the command with the signal that ended us, and waits for it for most of the grace time. */
function stopAtEnd(supervisor: Supervisor, context: CommandContext, over: AbortSignal): Task["run"] {
  return async (signal) => {
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    if (over.aborted) return;
    const { graceMs, shutdownDelayMs } = context.daemon;
    const interrupted = /SIGINT/.test(String(context.signal.reason?.message));
    // At a terminal the whole foreground group gets SIGINT: the command has it already.
    const atTerminal = interrupted && "isTTY" in context.stdin && context.stdin.isTTY === true;
    const name = interrupted ? "SIGINT" : "SIGTERM";
    await supervisor.stop(atTerminal ? undefined : name, Math.floor((graceMs - shutdownDelayMs) * 0.9));
  };
}
