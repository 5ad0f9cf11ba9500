import type { Health, Logger, Metrics } from "@newleaf/daemon";
import { observeRotation } from "@newleaf/observe";
import { startRotation } from "@newleaf/rotation";
import type { CertificateRun } from "../certificates/certificate-run.ts";
import type { Replica } from "../certificates/replica.ts";
import { createFilesConsumer } from "./files-consumer.ts";
import type { OutputConfig } from "./output-options.ts";

export interface KeepFilesParts {
  readonly config: OutputConfig;
  readonly replica: Replica;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Follows the certificate into files until the signal; they stay. */
export async function keepFiles(
  parts: KeepFilesParts,
  kept: CertificateRun,
  signal: AbortSignal,
): Promise<void> {
  const { config, replica, health, metrics, logger } = parts;
  await using source = await replica.follow(signal);
  kept.source = source;
  await using rotation = startRotation(source, [createFilesConsumer(config, logger)], {
    stageTimeoutMs: Math.max(30_000, config.execTimeout + config.verifyTimeout + 5_000),
    retry: { baseMs: 200, maxMs: 10_000 },
  });
  await using observation = observeRotation({ rotation, source, metrics, health, logger });
  kept.observation = observation;
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
}
