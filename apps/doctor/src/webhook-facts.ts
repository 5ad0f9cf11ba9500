import type { AnnotationNames, BundleTarget, Permission, RolloverNote } from "@newleaf/webhook";
import type { Certificate } from "@newleaf/x509";

/** `missing`: there is none. `unknown`: it could not be read; `unasked` says why. */
export type Seen<T extends object> = T | "missing" | "unknown";

/** What the API server says of one elected webhook certificate. Nothing in it is secret. */
export interface WebhookFacts {
  /** Of Lease and Secret; NAME-ca and NAME-leader are beside them. */
  readonly name: string;
  readonly namespace: string;
  /** The Service that it is called by. */
  readonly service: string;
  /** Of its Pods. */
  readonly selector: string;
  readonly names: AnnotationNames;
  /** Why the API server could not be asked; nothing else is known then. */
  readonly failure?: string;
  readonly election: Seen<ElectionFacts>;
  readonly lease: Seen<AnnouncementFacts>;
  readonly secret: Seen<ServingSecretFacts>;
  readonly authority: Seen<AuthorityFacts>;
  readonly callers: readonly CallerFacts[];
  readonly replicas: readonly ReplicaFacts[] | "unknown";
  /** One for each service account that a replica runs as. */
  readonly accounts: readonly AccountFacts[];
  /** NetworkPolicies that limit what the replicas may connect to. */
  readonly egressPolicies: readonly string[];
  readonly unasked: readonly { readonly what: string; readonly why: string }[];
}

/** The election's Lease. */
export interface ElectionFacts {
  /** "" after a release. */
  readonly holder: string;
  readonly durationMs: number;
  readonly renewedAt: Date | undefined;
  readonly acquiredAt: Date | undefined;
  /** It was seen to be renewed while it was looked at, whatever the clocks say. */
  readonly renewedMeanwhile: boolean;
}

/** The serving Lease. */
export interface AnnouncementFacts {
  /** Undefined where it announces nothing that could be compared. */
  readonly certHash: string | undefined;
  readonly caHash: string | undefined;
  /** The leader whose turn it was to write it, without term and nonce. */
  readonly writtenFor: string | undefined;
  /** When it was last changed, by the API server's clock. */
  readonly changedAt: Date | undefined;
  /** Who else has written the hash that is there. */
  readonly otherWriters: readonly Writer[];
}

/** Who has written a field last, as `managedFields` tell it. */
export interface Writer {
  readonly manager: string;
  readonly at: Date | undefined;
}

export interface ServingSecretFacts {
  readonly certHash: string;
  readonly caHash: string;
  readonly leaf: Certificate | undefined;
  readonly chain: readonly Certificate[];
  /** The certificates of `ca.crt`. */
  readonly trust: readonly Certificate[];
  /** Why certificate and key cannot be used. */
  readonly problem: string | undefined;
  readonly immutable: boolean;
  readonly writtenFor: string | undefined;
  /** Who else has written the `tls.crt` that is there. */
  readonly otherWriters: readonly Writer[];
}

/** The CA Secret, without its keys. */
export interface AuthorityFacts {
  readonly signer: Certificate | undefined;
  readonly next: Certificate | undefined;
  readonly previous: readonly Certificate[];
  readonly rollover: RolloverNote | undefined;
  readonly writtenFor: string | undefined;
}

/** One entry by which API servers call the webhook, or are told of its CA. */
export interface CallerFacts {
  readonly kind: BundleTarget["kind"];
  readonly object: string;
  /** The name of a webhook within a configuration. */
  readonly entry: string | undefined;
  /** The host that its certificate must have, where it names a Service. */
  readonly host: string | undefined;
  readonly failurePolicy: "Fail" | "Ignore" | undefined;
  /** SHA-256 of the PEM in it; undefined when there is none. */
  readonly bundleHash: string | undefined;
  readonly bundle: readonly Certificate[];
  /** Who else has written the caBundle that is there. */
  readonly otherWriters: readonly Writer[];
  /** An annotation by which another controller keeps the caBundle. */
  readonly injector: string | undefined;
}

/** A Pod of the selector. */
export interface ReplicaFacts {
  readonly name: string;
  readonly node: string | undefined;
  /** What the node says of itself, where it may be read. */
  readonly nodeReady: boolean | undefined;
  readonly phase: string;
  readonly ready: boolean;
  readonly leaving: boolean;
  readonly startedAt: Date | undefined;
  readonly address: string | undefined;
  readonly account: string;
  /** Why its container does not run. */
  readonly waiting: string | undefined;
  readonly lastExit:
    | { readonly code: number; readonly ranMs: number | undefined; readonly at: Date | undefined }
    | undefined;
  readonly restarts: number;
  /** How a container mounts the serving Secret. */
  readonly mount: "whole" | "subPath" | "none";
  /** By its arguments; the defaults where they do not say. */
  readonly leads: boolean;
  readonly follows: boolean;
  readonly fromSecret: boolean;
  readonly acknowledge: "pod" | "lease" | "none";
  readonly certTimeoutMs: number;
  /** What it has said of itself. */
  readonly certHash: string | undefined;
  readonly caHash: string | undefined;
  /** What it waits for, and how often it has asked the kubelet for that. */
  readonly expectedHash: string | undefined;
  readonly syncAttempts: number;
}

/** What a service account may not do, of what it needs. */
export interface AccountFacts {
  readonly user: string;
  readonly missing: readonly Permission[];
}
