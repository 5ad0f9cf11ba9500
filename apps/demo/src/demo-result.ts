/** How one client fared. */
export interface ClientTally {
  readonly requests: number;
  readonly failures: number;
}

/** What the demo ends with, and prints with `--json`. */
export interface DemoResult {
  /** Certificates that replaced another one at the backend, each proved to be served. */
  readonly rotations: number;
  /** Of all clients that must not fail; the legacy client and the rogue are not among them. */
  readonly requests: number;
  readonly failures: number;
  /** Peers that the backend refused, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** From the moment `..data` moved to the handshake that showed the new leaf. */
  readonly servedLagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Connections that were open at a rotation and have gone without loss. */
  readonly drained: number;
  readonly clients: Readonly<Record<string, ClientTally>>;
  readonly legacy: { readonly failedAfterMs: number | null; readonly reason: string | null };
  readonly caRollovers: number;
  /** What the demo is there to show and did not happen, in sentences; empty when all is well. */
  readonly problems: readonly string[];
}

/** The value below which the share `p` of the values lies; 0 without values. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * p) - 1)] ?? 0;
}
