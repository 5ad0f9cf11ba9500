import { createBackoff, type Logger } from "@newleaf/daemon";
import { electLeader, resources } from "@newleaf/kube";
import { type LeaderStatus, leadCertificate } from "@newleaf/webhook";
import type { Acknowledgement } from "./follower-options.ts";
import type { Cluster } from "./kube-options.ts";
import { bundleTargets, type LeaderConfig, servingNames } from "./leader-options.ts";

export interface CandidateOptions {
  readonly cluster: Cluster;
  /** Of the serving Lease and Secret; the election's Lease is `<name>-leader`. */
  readonly name: string;
  readonly annotationPrefix: string;
  readonly config: LeaderConfig;
  readonly acknowledge: Acknowledgement;
  readonly logger: Logger;
}

/** A replica that stands for election, and keeps the certificate while it is elected. */
export interface Candidate {
  /** Until the signal; then the Lease is released. Whatever goes wrong, it stands again. */
  run(signal: AbortSignal): Promise<void>;
  standing(): Standing;
}

interface Standing {
  readonly leads: boolean;
  /** Who is seen to lead; undefined until somebody is, "" after a release. */
  readonly leader: string | undefined;
  readonly term: number | undefined;
  /** What the leader is at, while it is this replica. */
  readonly status: LeaderStatus | undefined;
}

export function createCandidate(options: CandidateOptions): Candidate {
  const { cluster, name, annotationPrefix, config, acknowledge, logger } = options;
  const { client, namespace, pod: identity } = cluster;
  const election = { leases: client.resource(resources.leases, { namespace }), name: `${name}-leader` };
  const {
    leaseDuration: leaseDurationMs,
    renewDeadline: renewDeadlineMs,
    retryPeriod: retryPeriodMs,
  } = config;
  const duties = {
    client,
    namespace,
    name,
    identity,
    annotationPrefix,
    serving: servingNames(config, name, namespace),
    targets: bundleTargets(config),
    replicas: replicasOf(options),
    leafLifeMs: config.certificateDuration,
    authorityLifeMs: config.authorityDuration,
    settleMs: config.settle,
    logger,
  };
  let standing: Standing = { leads: false, leader: undefined, term: undefined, status: undefined };

  const stand = (signal: AbortSignal): Promise<void> =>
    electLeader({
      ...election,
      ...{ identity, leaseDurationMs, renewDeadlineMs, retryPeriodMs, logger, signal },
      onNewLeader(leader) {
        standing = { ...standing, leader };
        logger.info({ lease: election.name, leader }, "leader seen");
      },
      async lead(leadership) {
        standing = { ...standing, leads: true, term: leadership.term };
        const onLost = (): void => {
          standing = { ...standing, leads: false, status: undefined };
        };
        leadership.signal.addEventListener("abort", onLost, { once: true });
        const onStatus = (status: LeaderStatus): void => {
          if (!leadership.signal.aborted) standing = { ...standing, status };
        };
        await leadCertificate({ ...duties, leadership, onStatus }).finally(onLost);
      },
    });

  logger.debug(
    { targets: duties.targets, dnsNames: duties.serving.dnsNames, acknowledge },
    "stands for election",
  );
  return {
    standing: () => standing,
    async run(signal) {
      const backoff = createBackoff({ baseMs: 1_000, maxMs: 30_000 });
      while (!signal.aborted) {
        try {
          await stand(signal);
        } catch (error) {
          if (signal.aborted) return;
          const reason = error instanceof Error ? error.message : String(error);
          logger.error({ lease: election.name, reason }, "election ended by an error, standing again");
        }
        if (!signal.aborted) await backoff.wait(signal).catch(() => {});
      }
    },
  };
}

function replicasOf({ name, config, acknowledge }: CandidateOptions) {
  if (acknowledge === "none") return undefined;
  const { selector = `app.kubernetes.io/name=${name}`, provePort = 0 } = config;
  return {
    labelSelector: selector,
    acknowledgement: acknowledge,
    ...(provePort !== 0 && { port: provePort }),
  };
}
