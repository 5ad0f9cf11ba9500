import type { Health, Logger, Metrics, Task } from "@newleaf/daemon";
import type { IdentitySource } from "@newleaf/rotation";
import {
  candidatePermissions,
  describePermission,
  type FollowerStatus,
  followerPermissions,
} from "@newleaf/webhook";
import { createCandidate } from "./candidate.ts";
import { showCandidate, showFollower } from "./certificate-metrics.ts";
import { followServing } from "./follow-serving.ts";
import type { Acknowledgement, FollowerConfig } from "./follower-options.ts";
import type { Cluster } from "./kube-options.ts";
import { bundleTargets, type LeaderConfig } from "./leader-options.ts";
import { createPermissionCheck } from "./permissions.ts";

export interface ReplicaParts {
  readonly cluster: Cluster;
  readonly config: {
    readonly name: string;
    readonly annotationPrefix: string;
    readonly acknowledge: Acknowledgement;
  };
  /** Stands for election with these. */
  readonly leads: LeaderConfig | undefined;
  /** Follows with these. */
  readonly follows: FollowerConfig | undefined;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** One replica's share in the certificate: to keep it when elected, to follow it, or both. */
export interface Replica {
  /** What goes on for as long as the program runs. */
  readonly tasks: readonly Task[];
  /** The certificate that the Lease announces; see `followServing`. */
  follow(signal: AbortSignal): Promise<IdentitySource>;
}

export function createReplica(parts: ReplicaParts): Replica {
  const { cluster, config, leads, follows, health, metrics, logger } = parts;
  const { namespace, pod } = cluster;
  const of = { ...config, namespace };
  const needed = [
    ...(follows ? followerPermissions({ ...of, pod, fromSecret: follows.fromSecret }) : []),
    ...(leads ? candidatePermissions(of, bundleTargets(leads)) : []),
  ];
  const permissions = createPermissionCheck(cluster.client, needed, logger);
  const candidate = leads && createCandidate({ ...config, cluster, config: leads, logger });
  if (candidate) showCandidate(candidate, metrics, health);
  let status: (() => FollowerStatus) | undefined;
  if (follows) showFollower(() => status?.(), metrics, health);
  return {
    tasks: [
      { name: "permissions", run: (signal) => permissions.run(signal) },
      ...(candidate ? [{ name: "election", run: (signal: AbortSignal) => candidate.run(signal) }] : []),
    ],
    follow(signal) {
      if (!follows) throw new TypeError("a replica that only leads follows nothing");
      const advice = (): string | undefined => {
        const missing = permissions.missing().map(describePermission);
        return missing.length === 0 ? undefined : `RBAC rules are missing: ${missing.join("; ")}`;
      };
      const onStart = (started: () => FollowerStatus): void => {
        status = started;
      };
      return followServing({ ...config, cluster, config: follows, health, logger, signal, onStart, advice });
    },
  };
}
