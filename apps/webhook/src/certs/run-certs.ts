import { type CommandContext, createHealth, createMetrics, startDaemon, type Task } from "@newleaf/daemon";
import { createCertificateRun } from "../certificates/certificate-run.ts";
import type { Acknowledgement, FollowerConfig } from "../certificates/follower-options.ts";
import { connectCluster, type KubeConfigOptions } from "../certificates/kube-options.ts";
import type { LeaderConfig } from "../certificates/leader-options.ts";
import { createReplica } from "../certificates/replica.ts";
import { keepFiles } from "./keep-files.ts";
import type { OutputConfig } from "./output-options.ts";

export interface CertsConfig extends KubeConfigOptions {
  readonly name: string;
  readonly acknowledge: Acknowledgement;
}

/** What a webhook in another language has beside it: a candidate, a follower that writes files, or both in one. */
export async function runCerts(
  config: CertsConfig,
  parts: {
    readonly leads?: LeaderConfig;
    readonly follows?: FollowerConfig & OutputConfig;
  },
  context: CommandContext,
): Promise<void> {
  const { leads, follows } = parts;
  const health = createHealth();
  const metrics = await createMetrics({ process: true });
  await using daemon = await startDaemon(context, { health, metrics });
  await using cluster = await connectCluster(config, context);
  const { logger } = context;
  const { namespace, pod, server } = cluster;
  logger.info({ name: config.name, namespace, pod, server }, "webhook-certs started");
  const replica = createReplica({ cluster, config, leads, follows, health, metrics, logger });
  const kept = createCertificateRun();
  const files: Task[] = follows
    ? [
        {
          name: "files",
          run: (signal) => keepFiles({ config: follows, replica, health, metrics, logger }, kept, signal),
        },
      ]
    : [];
  await daemon.run({
    ...(follows && { routes: kept.routes, reload: kept.reload }),
    tasks: [...replica.tasks, ...files],
  });
}
