import type { Generation, RefusalCode } from "@newleaf/rotation";
import type { Certificate, TrustBundle } from "@newleaf/x509";
import type { WebhookFacts } from "./webhook-facts.ts";

/** All that was seen, before anything is made of it. */
export interface Facts {
  readonly targets: readonly TargetFacts[];
  /** What the targets should serve. */
  readonly stored?: StoreFacts;
  /** What connects to them. */
  readonly client?: StoreFacts;
  readonly postgres?: PostgresFacts;
  readonly workloadApi?: WorkloadApiFacts;
  /** The elected certificate of an admission webhook. */
  readonly webhook?: WebhookFacts;
}

/** One address of one target. */
export interface TargetFacts {
  readonly name: string;
  readonly protocol: "tls" | "https" | "postgres";
  readonly served?: ServedLeaf;
  /** Why no certificate was seen; absent when one was. */
  readonly unreached?: Unreached;
  /** What it answered to one GET, where it was asked. */
  readonly http?: { readonly status: number } | { readonly failure: "closed" | "late" };
}

export interface ServedLeaf {
  readonly leaf: Certificate;
  readonly chain: readonly Certificate[];
  /** Compared with the stored leaf, where there is one. */
  readonly against?: "equal" | "older" | "newer" | "foreign";
  /** What the server said, after it had shown its own, when it did not want our certificate. */
  readonly refusal?: string;
}

export interface Unreached {
  readonly reason: "nothing_listens" | "name_not_found" | "no_answer" | "no_tls" | "no_handshake";
  readonly message: string;
}

export type Part = "certificate" | "key" | "trust";

export interface StoredFile {
  readonly path: string;
  readonly part: Part;
  /** Absent when there is no such file. */
  readonly found?: { readonly modifiedAt: Date; readonly mode: number; readonly uid: number };
  /** The system's code, when it is there and cannot be read. */
  readonly unreadable?: string;
}

export interface StoreFacts {
  /** Where it is, as people name it. */
  readonly name: string;
  readonly files: readonly StoredFile[];
  /** The first certificate, also when the whole cannot be used. */
  readonly leaf?: Certificate;
  readonly trust?: TrustBundle;
  /** The whole, to present it to servers; absent when it cannot be used, or has no bundle. */
  readonly generation?: Generation;
  /** Why it cannot be used, by itself. */
  readonly refusal?: { readonly code: RefusalCode; readonly message: string };
}

export interface PostgresFacts {
  /** As people name it: a host, or the data directory. */
  readonly name: string;
  readonly dataDirectory?: string;
  /** The user that the server runs as, by its data directory. */
  readonly uid?: number;
  readonly startedAt?: Date;
  /** When it last read its configuration, at the start included; only the server itself can say. */
  readonly loadedAt?: Date;
  readonly sessions?: readonly SessionFacts[];
  /** Why some of this is missing. */
  readonly problem?: string;
}

/** A session that showed a certificate. */
export interface SessionFacts {
  readonly since: Date;
  readonly user: string;
  readonly application: string;
  /** Lower-case hex without leading zeros. */
  readonly serialNumber: string;
}

export interface WorkloadApiFacts {
  readonly address: string;
  /** One for each identity that the workload has. */
  readonly svids: readonly { readonly id: string; readonly leaf: Certificate }[];
  readonly failure?: { readonly kind: "unreachable" | "denied" | "other"; readonly message: string };
}
