import {
  type CommandContext,
  createHealth,
  createMetrics,
  formatHostPort,
  type Health,
  type HostPort,
  type Metrics,
  startDaemon,
} from "@newleaf/daemon";
import { observeRotation } from "@newleaf/observe";
import { createAdmissionHandler } from "@newleaf/webhook";
import { type CertificateRun, createCertificateRun } from "../certificates/certificate-run.ts";
import type { Acknowledgement, FollowerConfig } from "../certificates/follower-options.ts";
import { connectCluster, type KubeConfigOptions } from "../certificates/kube-options.ts";
import type { LeaderConfig } from "../certificates/leader-options.ts";
import { createReplica, type Replica } from "../certificates/replica.ts";
import type { PolicySettings } from "../policy/policy-settings.ts";
import { createAdmissionMetrics } from "./admission-metrics.ts";
import { startAdmissionServer } from "./admission-server.ts";
import { createPolicyReviewer } from "./review-policy.ts";

export interface WebhookConfig extends KubeConfigOptions, LeaderConfig, FollowerConfig {
  readonly name: string;
  readonly listen: HostPort;
  readonly acknowledge: Acknowledgement;
}

/** Stands for election, follows the certificate, and answers reviews from the first one on. */
export async function runWebhook(
  config: WebhookConfig,
  policy: PolicySettings,
  context: CommandContext,
): Promise<void> {
  const health = createHealth();
  const metrics = await createMetrics({ process: true });
  await using daemon = await startDaemon(context, { health, metrics });
  await using cluster = await connectCluster(config, context);
  const { logger } = context;
  const { namespace, pod, server } = cluster;
  logger.info({ name: config.name, namespace, pod, server }, "webhook started");
  const replica = createReplica({ cluster, config, leads: config, follows: config, health, metrics, logger });
  const serving = createCertificateRun();
  await daemon.run({
    routes: serving.routes,
    reload: serving.reload,
    tasks: [
      ...replica.tasks,
      {
        name: "admission",
        run: (signal) => serve({ config, policy, context, health, metrics, replica, serving }, signal),
      },
    ],
  });
}

interface Webhook {
  readonly config: WebhookConfig;
  readonly policy: PolicySettings;
  readonly context: CommandContext;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly replica: Replica;
  readonly serving: CertificateRun;
}

async function serve(webhook: Webhook, signal: AbortSignal): Promise<void> {
  const { config, policy, context, health, metrics, replica, serving } = webhook;
  const { logger } = context;
  const listening = health.addReadiness("admission", () => ({ ok: false, reason: "not listening yet" }));
  await using source = await replica.follow(signal);
  serving.source = source;
  const counts = createAdmissionMetrics(metrics);
  await using server = await startAdmissionServer({
    listen: config.listen,
    source,
    handler: createAdmissionHandler({
      validate: createPolicyReviewer(policy, counts.found),
      onReview: counts.reviewed,
      logger,
    }),
    leaving: context.signal,
    logger,
    onRejection: (rejection) => serving.observation?.countRejection(rejection),
  });
  const { rotation } = server;
  await using observation = observeRotation({
    ...{ rotation, source, metrics, health },
    connections: () => connectionsOf(rotation.stats().byGeneration),
  });
  serving.observation = observation;
  listening[Symbol.dispose]();
  const { identity, notAfter } = source.current();
  logger.info({ listen: formatHostPort(server.address), identity, notAfter }, "ready");

  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  const left = Math.max(0, context.daemon.graceMs - context.daemon.shutdownDelayMs);
  await server.stop(AbortSignal.timeout(Math.floor(left * 0.9)));
}

function connectionsOf(byGeneration: Readonly<Record<number, number>>): ReadonlyMap<number, number> {
  return new Map(Object.entries(byGeneration).map(([number, count]) => [Number(number), count]));
}
