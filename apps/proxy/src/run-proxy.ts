import { type CommandContext, createHealth, createMetrics, duration, startDaemon, z } from "@newleaf/daemon";
import {
  type ConnectionsByGeneration,
  identityLocationHelp,
  type Observation,
  observeRotation,
  openIdentity,
  watchIdentity,
} from "@newleaf/observe";
import type { IdentitySource, Rejection } from "@newleaf/rotation";
import type { RunningProxy } from "./client-proxy.ts";
import { formatListenAddress } from "./listener.ts";
import type { OptionsOf } from "./options-of.ts";
import { createProxyMetrics } from "./proxy-metrics.ts";

/** Flags of the identity; both directions have them. */
export const identityOptions: OptionsOf<IdentityConfig> = {
  certs: {
    flag: "--certs <dir|address>",
    description: identityLocationHelp,
    schema: z.string().min(1),
  },
  crl: {
    flag: "--crl <file>",
    description: "revocation lists, one of every authority; read again when it changes",
    schema: z.string().min(1).optional(),
  },
  allowIdentityChange: {
    flag: "--allow-identity-change",
    description: "take certificates with other names than those of the start",
    schema: z.boolean(),
    default: false,
  },
  wait: {
    flag: "--wait <duration>",
    description: "how long to wait for a first good certificate",
    schema: duration({ min: "1ms" }),
    default: "60s",
  },
};

export interface IdentityConfig {
  readonly certs: string;
  readonly crl: string | undefined;
  readonly allowIdentityChange: boolean;
  readonly wait: number;
}

/** What a running proxy reports of single clients and of its target. */
export interface ProxyHooks {
  readonly onRejection: (rejection: Rejection) => void;
  readonly onFailure: (reason: string) => void;
}

/** Waits for a first identity, starts a proxy with it and runs until stopped: admin endpoints, reload, drain. */
export async function runProxy<P extends RunningProxy>(
  context: CommandContext,
  config: IdentityConfig,
  start: (source: IdentitySource, hooks: ProxyHooks) => Promise<P>,
  about: {
    readonly target: string;
    readonly connections?: (proxy: P) => ConnectionsByGeneration;
  },
): Promise<void> {
  const health = createHealth();
  const metrics = await createMetrics({ process: true });
  await using daemon = await startDaemon(context, { health, metrics });
  const { crl, allowIdentityChange, wait: waitMs } = config;
  const { signal, logger } = context;
  const own = { crl, allowIdentityChange, waitMs, signal, logger };
  await using source = await openIdentity(health, (onRefusal) =>
    watchIdentity(config.certs, { ...own, onRefusal }),
  );
  let open = (): number => 0;
  let observation: Observation | undefined;
  const counts = createProxyMetrics(metrics, () => open());
  await using proxy = await start(source, {
    onRejection: (rejection) => observation?.countRejection(rejection),
    onFailure: (reason) => counts.targetFailed(reason),
  });
  open = () => proxy.connections;
  const connections = about.connections;
  await using observed = observeRotation({
    rotation: proxy.rotation,
    source,
    metrics,
    health,
    ...(connections ? { connections: () => connections(proxy) } : {}),
  });
  observation = observed;
  const { identity, notAfter } = source.current();
  const listen = formatListenAddress(proxy.address);
  context.logger.info({ listen, target: about.target, identity, notAfter }, "ready");
  await daemon.run({
    routes: observed.routes,
    reload: () => source.reload(),
    tasks: [{ name: "proxy", run: (signal) => serveUntil(signal, proxy, context) }],
  });
}

/** Runs until the signal, then drains for most of what is left of the grace time. */
async function serveUntil(
  signal: AbortSignal,
  proxy: RunningProxy,
  { daemon, logger }: CommandContext,
): Promise<void> {
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  const left = Math.max(0, daemon.graceMs - daemon.shutdownDelayMs);
  const deadline = AbortSignal.timeout(Math.floor(left * 0.9));
  const sayCut = (): void => {
    const { connections } = proxy;
    if (connections > 0) logger.warn({ connections }, "cut what did not end within the grace time");
  };
  deadline.addEventListener("abort", sayCut, { once: true });
  await proxy.stop(deadline);
}
