import type { SpiffeError } from "./error.ts";

/** How a source's stream from the Workload API is doing. Whether what it holds is still valid is another question. */
export interface WorkloadApiStatus {
  /** The last that was heard was a message that could be used. */
  readonly connected: boolean;
  readonly lastMessageAt: Date | undefined;
  readonly lastFailure:
    | {
        /** `refused`: not tried again until a reload. */
        readonly reason: "unavailable" | "permission_denied" | "discarded" | "refused";
        readonly error: SpiffeError;
        readonly at: Date;
      }
    | undefined;
  /** Messages taken so far. */
  readonly messages: number;
  /** Messages discarded as a whole so far. */
  readonly discarded: number;
  /** Attempts that failed so far, discarded messages included. */
  readonly failures: number;
}
