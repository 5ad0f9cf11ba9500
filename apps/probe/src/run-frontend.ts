import {
  type CommandContext,
  createHealth,
  createMetrics,
  type ExitCode,
  startDaemon,
  usageError,
} from "@newleaf/daemon";
import { openIdentity } from "@newleaf/observe";
import type { IdentitySource, Refusal } from "@newleaf/rotation";
import { expectedServer } from "./expected-server.ts";
import { frozenSource } from "./frozen-source.ts";
import { watchCertificates } from "./identity-options.ts";
import { observeProbe } from "./probe-metrics.ts";
import { type ProbeEvent, type ProbeSummary, runProbe } from "./prober.ts";
import { renderEvent, renderSummary } from "./render-probe.ts";
import type { ProbeTarget } from "./target-url.ts";

export interface FrontendConfig {
  readonly certs: string | undefined;
  readonly every: number;
  readonly for: number | undefined;
  readonly concurrency: number;
  readonly timeout: number;
  readonly keepAlive: boolean;
  readonly expectDns: readonly string[];
  readonly expectUri: readonly string[];
  readonly maxFailures: number;
  readonly legacy: boolean;
  readonly json: boolean;
}

/** Asks until its time is over and prints each answer; 1 if more failed than allowed. */
export async function runFrontend(
  target: ProbeTarget,
  config: FrontendConfig,
  context: CommandContext,
): Promise<ExitCode> {
  const { stdout, style } = context;
  const { certs, legacy } = config;
  if (certs === undefined) {
    throw usageError("--certs is required", "give --certs DIR, or --rogue to come without a certificate");
  }
  const authorizeServer = expectedServer(config);
  const [health, metrics] = [createHealth(), await createMetrics()];
  await using daemon = await startDaemon(context, { health, metrics });
  await using source = await openIdentity(health, (onRefusal) =>
    openSource(certs, legacy, context, onRefusal),
  );
  const count = observeProbe(metrics);
  let summary: ProbeSummary | undefined;
  const onEvent = (event: ProbeEvent): void => {
    count(event);
    stdout.write(`${config.json ? JSON.stringify(event) : renderEvent(event, style)}\n`);
  };
  const task = async (signal: AbortSignal): Promise<void> => {
    summary = await runProbe({
      target,
      source,
      everyMs: config.every,
      ...(config.for === undefined ? {} : { forMs: config.for }),
      concurrency: config.concurrency,
      timeoutMs: config.timeout,
      keepAlive: config.keepAlive,
      ...(authorizeServer ? { authorizeServer } : {}),
      signal,
      onEvent,
    });
  };
  await daemon.run({ tasks: [{ name: "probe", run: task }], reload: () => source.reload() });
  if (!summary) return 1;
  const facts = { ...summary, ...(legacy ? { legacy: { notAfter: source.current().notAfter } } : {}) };
  const text = config.json ? JSON.stringify({ type: "summary", ...facts }) : renderSummary(facts, style);
  stdout.write(`${text}\n`);
  return summary.failures > config.maxFailures ? 1 : 0;
}

async function openSource(
  directory: string,
  legacy: boolean,
  { signal, logger }: CommandContext,
  onRefusal: (refusal: Refusal) => void,
): Promise<IdentitySource> {
  const source = await watchCertificates(directory, { signal, logger, onRefusal });
  if (!legacy) return source;
  await source[Symbol.asyncDispose]();
  return frozenSource(source.current());
}
