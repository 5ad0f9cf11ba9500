import {
  type AdminResponse,
  type CommandContext,
  createHealth,
  createMetrics,
  type ExitCode,
  type Logger,
  runDaemon,
  type Task,
} from "@newleaf/daemon";
import type { HelperConfig } from "../config/config.ts";
import { hasX509 } from "../config/files-config.ts";
import { serveHealthChecks } from "./health-server.ts";
import { createParts } from "./helper-parts.ts";
import { jwtTasks } from "./jwt-tasks.ts";
import { type IdentityRun, keepX509 } from "./keep-x509.ts";
import { passSignals } from "./pass-signals.ts";
import type { Supervisor } from "./supervisor.ts";

/** Keeps the files current until stopped. Resolves with the exit code of a wrapped command, if there is one. */
export async function runHelper(
  config: HelperConfig,
  context: CommandContext,
  logger: Logger,
): Promise<ExitCode> {
  const health = createHealth();
  const metrics = await createMetrics({ process: true });
  const helper = createParts(config, health, metrics, logger);
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
