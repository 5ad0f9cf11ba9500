import { failure, type Health, type Logger } from "@newleaf/daemon";
import { resources } from "@newleaf/kube";
import type { IdentitySource } from "@newleaf/rotation";
import {
  type FollowCertificateOptions,
  type FollowerStatus,
  followCertificate,
  WebhookError,
} from "@newleaf/webhook";
import { certificateMount } from "./certificate-mount.ts";
import type { Acknowledgement, FollowerConfig } from "./follower-options.ts";
import type { Cluster } from "./kube-options.ts";

export interface FollowServingOptions {
  readonly cluster: Cluster;
  /** Of the serving Lease and Secret. */
  readonly name: string;
  readonly annotationPrefix: string;
  readonly config: FollowerConfig;
  readonly acknowledge: Acknowledgement;
  readonly health: Health;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Called with each follower that is started: more than one when a timeout is waited out. */
  readonly onStart: (status: () => FollowerStatus) => void;
  /** What may be amiss, for the one who reads of a timeout. */
  readonly advice: () => string | undefined;
}

/**
 * Follows the certificate that the Lease announces; readiness says meanwhile what a first one is waited for. Rejects
 * when there has been none in time, unless that is to be waited out.
 */
export async function followServing(options: FollowServingOptions): Promise<IdentitySource> {
  const { cluster, name, annotationPrefix, config, health, logger, signal, onStart } = options;
  const { client, namespace } = cluster;
  let status: (() => FollowerStatus) | undefined;
  using _waiting = health.addReadiness("identity", () => ({
    ok: false,
    reason: `no certificate yet: ${status?.().waitingFor ?? "starting"}`,
  }));
  const secret = { secrets: client.resource(resources.secrets, { namespace }), name };
  const follow: FollowCertificateOptions = {
    ...{ name, annotationPrefix, signal, logger },
    leases: client.resource(resources.leases, { namespace }),
    mount: certificateMount({ directory: config.certs, secret: config.fromSecret ? secret : undefined }),
    acknowledge: acknowledgeOf(options),
    certTimeoutMs: config.certTimeout,
    onStart(started) {
      status = started;
      onStart(started);
    },
  };
  for (;;) {
    try {
      return await followCertificate(follow);
    } catch (error) {
      if (!(error instanceof WebhookError) || error.code !== "ERR_WEBHOOK_NO_CERTIFICATE") throw error;
      const hint = options.advice() ?? `look at: kubectl get lease,secret ${name} -n ${namespace} -o yaml`;
      if (config.onCertTimeout === "exit") throw failure(error.message, { hint, cause: error });
      logger.error({ error: error.message, hint }, "no certificate in time, waiting on");
    }
  }
}

function acknowledgeOf({
  cluster,
  acknowledge,
}: FollowServingOptions): FollowCertificateOptions["acknowledge"] {
  if (acknowledge === "none") return undefined;
  const { client, namespace, podUid } = cluster;
  const pod = { name: cluster.pod, ...(podUid !== undefined && { uid: podUid }) };
  return acknowledge === "pod"
    ? { pod, pods: client.resource(resources.pods, { namespace }) }
    : { pod, leases: client.resource(resources.leases, { namespace }) };
}
