import type { Generation } from "@newleaf/rotation";
import type { Authority } from "@newleaf/x509";
import type { Credentials, Names } from "./forged-identity.ts";
import type { ProbeTarget } from "./target-url.ts";

/** What the rogue has at hand; rows that need more are skipped. */
export interface RogueMeans {
  readonly target: ProbeTarget;
  /** A certificate that is let in: for the control, and for its names. */
  readonly own?: Generation;
  /** The authority that the peer trusts, to sign certificates that are wrong in one way only. */
  readonly authority?: Authority;
  /** A revoked certificate of that authority. */
  readonly revoked?: Credentials;
  /** How long the peer may take to refuse. */
  readonly timeoutMs: number;
  /** How long it may wait for a handshake that is never finished: 15 s by default, or `timeoutMs` if that is more. */
  readonly handshakeMs?: number;
  readonly signal: AbortSignal;
}

/** The means, and the names to pass under. */
export type RogueContext = RogueMeans & { readonly names: Names };
