import type { Certificate } from "@newleaf/x509";
import type { RolloverReason } from "./authority-state.ts";
import type { ObservedTarget } from "./leader-observation.ts";
import type { Replica } from "./replica.ts";

/** One write, or nothing to write at the moment. */
export type LeaderStep = LeaderWrite | LeaderWait;

/** What is written next, and why, in words. Data that is random (keys) is made when it is carried out. */
export type LeaderWrite = { readonly why: string } & (
  | { readonly write: "fence"; readonly object: "authority" | "serving" | "lease" }
  | {
      readonly write: "authority";
      readonly change: AuthorityChange;
      /** Cannot be taken back: decided again on fresh reads before it is done. */
      readonly confirm: boolean;
    }
  | { readonly write: "bundle"; readonly target: ObservedTarget }
  | { readonly write: "serving"; readonly issue: boolean; readonly confirm: boolean }
  | { readonly write: "lease" }
);

export type AuthorityChange =
  /** The first authority: nothing is trusted yet. */
  | { readonly to: "create" }
  /** Another one beside those whose keys are lost. */
  | { readonly to: "restore"; readonly previous: readonly Certificate[] }
  /** What was read, written anew without what could not be used. */
  | { readonly to: "repair"; readonly previous: readonly Certificate[] }
  | { readonly to: "start"; readonly reason: RolloverReason }
  | { readonly to: "switch"; readonly oldLeafUntil: string | undefined }
  | { readonly to: "drop" }
  | { readonly to: "retire" };

export interface LeaderWait {
  readonly write: undefined;
  readonly waitingFor: LeaderWaitReason;
  readonly why: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly until: number | undefined;
  /** Or after this long. */
  readonly forMs: number | undefined;
  /** Whose turn it is: names of replicas, keys of targets. */
  readonly pending: readonly string[];
  /** Replicas that say they serve the certificate, to be asked by a handshake. */
  readonly toProve: readonly Replica[];
}

/**
 * - `renewal`: all is well
 * - `published`: caBundles that could not be written
 * - `settled`: API servers may still use the caBundles from before
 * - `acknowledged`, `proved`, `retired`: replicas that have not loaded the new trust, are not seen to serve the new
 *   certificate, or still have the old trust
 * - `expired`: nobody says who serves; old certificates must have ended
 */
export type LeaderWaitReason =
  | "renewal"
  | "published"
  | "settled"
  | "acknowledged"
  | "proved"
  | "expired"
  | "retired";
