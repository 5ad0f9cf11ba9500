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
  /** Called at once with what tells how the follower is doing. */
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
  const waits = config.onCertTimeout === "wait";
  const hint = (): string =>
    options.advice() ?? `look at: kubectl get lease,secret ${name} -n ${namespace} -o yaml`;
  const secret = { secrets: client.resource(resources.secrets, { namespace }), name };
  const follow: FollowCertificateOptions = {
    ...{ name, annotationPrefix, signal, logger },
    leases: client.resource(resources.leases, { namespace }),
    mount: certificateMount({ directory: config.certs, secret: config.fromSecret ? secret : undefined }),
    acknowledge: acknowledgeOf(options),
    certTimeoutMs: waits ? Number.POSITIVE_INFINITY : config.certTimeout,
    onStart(started) {
      status = started;
      onStart(started);
    },
  };
  using _reminder = remind(waits ? config.certTimeout : undefined, () => {
    logger.error({ waitingFor: status?.().waitingFor, hint: hint() }, "no certificate in time, waiting on");
  });
  try {
    return await followCertificate(follow);
  } catch (error) {
    if (!(error instanceof WebhookError) || error.code !== "ERR_WEBHOOK_NO_CERTIFICATE") throw error;
    throw failure(error.message, { hint: hint(), cause: error });
  }
}

function remind(everyMs: number | undefined, say: () => void): Disposable | undefined {
  if (everyMs === undefined) return undefined;
  const timer = setInterval(say, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
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
