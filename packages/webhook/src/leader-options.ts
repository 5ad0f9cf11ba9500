import type { Clock, KubeClient, Leadership, Logger } from "@newleaf/kube";
import { annotationNames } from "./annotations.ts";
import type { BundleTarget } from "./ca-bundle.ts";
import { DEFAULT_BACKDATE_MS } from "./certificate-life.ts";
import { WebhookError } from "./error.ts";
import type { LeaderPolicy } from "./leader-observation.ts";
import type { ProveReplica } from "./leader-proofs.ts";
import type { LeaderStatus } from "./leader-status.ts";
import type { ServingNames } from "./serving-certificate.ts";

export interface LeadCertificateOptions {
  readonly client: Pick<KubeClient, "resource">;
  /** Of the Secrets, the serving Lease and the replicas. */
  readonly namespace: string;
  /** Of the serving Secret and the serving Lease; the CA Secret is `<name>-ca`. */
  readonly name: string;
  /** Of this leader, as in the election. */
  readonly identity: string;
  readonly leadership: Leadership;
  /** What the certificate is for; see `serviceDnsNames`. */
  readonly serving: ServingNames;
  /** Whose caBundles are kept. */
  readonly targets: readonly BundleTarget[];
  /**
   * The Pods that serve the certificate, for rollovers to wait for. Without it an old authority stays trusted until
   * its last certificate has expired.
   */
  readonly replicas?: ReplicaOptions | undefined;
  /** Of annotations; `newleaf.dev`. */
  readonly annotationPrefix?: string | undefined;
  /** 30 days. */
  readonly leafLifeMs?: number | undefined;
  /** 365 days; at least three times that of a leaf. */
  readonly authorityLifeMs?: number | undefined;
  /** How far notBefore lies in the past, for clocks that are behind: 10 min. */
  readonly backdateMs?: number | undefined;
  /** How long API servers may go on using a caBundle that has been replaced: 5 s. */
  readonly settleMs?: number | undefined;
  /** For each request, and never longer than the Lease is held: 5 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Told when what the leader does or waits for has changed. */
  readonly onStatus?: ((status: LeaderStatus) => void) | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** From 0 to below 1. */
  readonly random?: (() => number) | undefined;
}

export interface ReplicaOptions {
  readonly labelSelector: string;
  /** Where replicas say what they have loaded: on their Pods, or each on a Lease of its own. */
  readonly acknowledgement?: "pod" | "lease" | undefined;
  /** Where they serve; each is then asked for its certificate by a handshake before an old authority is dropped. */
  readonly port?: number | undefined;
  /** Instead of a handshake with `port`. */
  readonly prove?: ProveReplica | undefined;
}

const DAY_MS = 86_400_000;

/** What the options come to, with their defaults; ERR_WEBHOOK_OPTIONS where they cannot work. */
export function policyOf(options: LeadCertificateOptions): LeaderPolicy {
  const { identity, leadership, name, serving, replicas, random = Math.random } = options;
  const { leafLifeMs = 30 * DAY_MS, authorityLifeMs = 365 * DAY_MS, settleMs = 5_000 } = options;
  if (serving.dnsNames.length + (serving.ips?.length ?? 0) === 0) {
    throw new WebhookError("ERR_WEBHOOK_OPTIONS", "a certificate needs the name of a Service, or an address");
  }
  if (!(leafLifeMs > 0 && authorityLifeMs >= 3 * leafLifeMs)) {
    const message = "the life of an authority must be at least three times that of a certificate";
    throw new WebhookError("ERR_WEBHOOK_OPTIONS", message);
  }
  // The term alone does not tell a process that won again from the same one before it.
  const nonce = Math.floor(random() * 2 ** 32).toString(36);
  return Object.freeze({
    name,
    identity,
    token: `${identity} ${leadership.term} ${nonce}`,
    names: annotationNames(options.annotationPrefix),
    serving,
    leafLifeMs,
    authorityLifeMs,
    backdateMs: options.backdateMs ?? DEFAULT_BACKDATE_MS,
    settleMs,
    prove: replicas?.port !== undefined || replicas?.prove !== undefined,
  });
}
