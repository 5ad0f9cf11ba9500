import type { Demo } from "./demo.ts";

/** How one client fared. */
export interface ClientTally {
  readonly requests: number;
  readonly failures: number;
}

/** How one server fared. */
export interface ServerTally {
  readonly name: string;
  readonly rotations: number;
  /** From the moment a new leaf was there to the handshake that showed it. */
  readonly lagsMs: readonly number[];
  /** Connections that were open at a rotation and have gone without loss. */
  readonly drained: number;
}

/** What every demo ends with. */
export interface DemoTally {
  /** Certificates that replaced another one at a server, each proved to be served. */
  readonly rotations: number;
  /** Of all clients that must not fail; those that must, such as the rogue, are not among them. */
  readonly requests: number;
  readonly failures: number;
  /** Peers that the server refused, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** From the moment a new leaf was there to the handshake that showed it. */
  readonly servedLagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Connections that were open at a rotation and have gone without loss. */
  readonly drained: number;
  readonly clients: Readonly<Record<string, ClientTally>>;
  /** Stopped before its time was over: these are the figures so far. */
  readonly interrupted: boolean;
  /** What the demo is there to show and did not happen, in sentences; empty when all is well. */
  readonly problems: readonly string[];
}

/** What `newleaf demo` ends with, and prints with `--json`. */
export interface DemoResult extends DemoTally {
  readonly legacy: { readonly failedAfterMs: number | null; readonly reason: string | null };
  readonly caRollovers: number;
}

/** Counts up what is left of a demo that is over, and says what is wrong with it. */
export function tallyOf(demo: Demo, servers: readonly ServerTally[]): DemoTally {
  for (const client of demo.clients) {
    const { requests, failures } = client.tally();
    if (failures > 0) {
      demo.problem(
        `${client.name}: ${failures} of ${requests} requests failed, last: ${client.lastFailure()}`,
      );
    }
    if (requests === 0 && !demo.interrupted) demo.problem(`${client.name} made no request`);
  }
  for (const { name, rotations } of servers) {
    if (rotations === 0 && !demo.interrupted) demo.problem(`${name} has not rotated`);
  }
  const clients = demo.tallies();
  const all = Object.values(clients);
  const lags = servers.flatMap(({ lagsMs }) => lagsMs);
  return {
    rotations: servers.reduce((sum, { rotations }) => sum + rotations, 0),
    requests: all.reduce((sum, { requests }) => sum + requests, 0),
    failures: all.reduce((sum, { failures }) => sum + failures, 0),
    refused: demo.refused,
    servedLagMs: { p50: percentile(lags, 0.5), p99: percentile(lags, 0.99), max: Math.max(0, ...lags) },
    drained: servers.reduce((sum, { drained }) => sum + drained, 0),
    clients,
    interrupted: demo.interrupted,
    problems: demo.problems,
  };
}

/** The value below which the share `p` of the values lies; 0 without values. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * p) - 1)] ?? 0;
}
