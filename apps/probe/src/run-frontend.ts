import {
  type CommandContext,
  createHealth,
  createMetrics,
  type ExitCode,
  runDaemon,
  usageError,
} from "@newleaf/daemon";
import type { IdentitySource } from "@newleaf/rotation";
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
  if (config.certs === undefined) {
    throw usageError("--certs is required", "give --certs DIR, or --rogue to come without a certificate");
  }
  const authorizeServer = expectedServer(config);
  await using source = await openSource(config.certs, config.legacy, context);
  const metrics = await createMetrics();
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
  await runDaemon(context, {
    health: createHealth(),
    metrics,
    tasks: [{ name: "probe", run: task }],
    reload: () => source.reload(),
  });
  if (!summary) return 1;
  const legacy = config.legacy ? { legacy: { notAfter: source.current().notAfter } } : {};
  const text = config.json
    ? JSON.stringify({ type: "summary", ...summary, ...legacy })
    : renderSummary({ ...summary, ...legacy }, style);
  stdout.write(`${text}\n`);
  return summary.failures > config.maxFailures ? 1 : 0;
}

async function openSource(
  directory: string,
  legacy: boolean,
  { signal, logger }: CommandContext,
): Promise<IdentitySource> {
  const source = await watchCertificates(directory, { signal, logger });
  if (!legacy) return source;
  await source[Symbol.asyncDispose]();
  return frozenSource(source.current());
}
