import { type Observation, observeRotation, openIdentity } from "@newleaf/observe";
import { type Consumer, isProved, startRotation } from "@newleaf/rotation";
import type { X509Source } from "@newleaf/spiffe";
import { createReloadConsumer, createToldConsumer, type WrittenGate } from "../reload/told-consumer.ts";
import { createFilesConsumer } from "./files-consumer.ts";
import { type Helper, signalPidFile } from "./helper-parts.ts";
import { watchIdentity } from "./x509-source.ts";

/** What is known of the identity once there is one. */
export interface IdentityRun {
  source: X509Source | undefined;
  observation: Observation | undefined;
}

/** One rotation for as long as the helper runs: source, files, those to be told, and what is shown of it. */
export async function keepX509(helper: Helper, identity: IdentityRun, signal: AbortSignal): Promise<void> {
  const { config, logger, statuses, health, metrics, publisher } = helper;
  metrics.gauge({
    name: "newleaf_workload_api_connected",
    help: "1 while the last that was heard of the Workload API was a message that could be used",
    collect() {
      this.set(identity.source?.workloadApi().connected ? 1 : 0);
    },
  });
  await using source = await openIdentity(health, (onRefusal) =>
    watchIdentity(config, { logger, statuses, signal, onRefusal, waitMs: Number.POSITIVE_INFINITY }),
  );
  identity.source = source;
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
  identity.observation = observation;
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
        if (error === undefined) served.note(name, reports);
        else served.fail(name, error);
        countReload(name, error !== undefined ? "failed" : reports.every(isProved) ? "done" : "not_served");
      },
    }),
  );
  return [command, pidFile, ...reloads].filter((consumer) => consumer !== undefined);
}
