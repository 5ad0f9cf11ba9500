import type { Generation } from "./generation.ts";
import type { ServedReport } from "./served.ts";

/**
 * Anything that uses an identity and must be moved to each new generation: a server, an agent, a process.
 * The engine (`startRotation`) calls load, then prove, then drain, once per generation; load and prove again
 * when they failed, so both are idempotent. A signal aborts when the stage's deadline passes or a newer
 * generation supersedes this one: stop waiting and reject.
 */
export interface Consumer {
  readonly name: string;
  /** Use this generation for everything that starts from now on. Synchronous consumers swap before returning. */
  load(generation: Generation, signal: AbortSignal): void | Promise<void>;
  /** Show what is really served. The generation counts as served when every report has proved it. */
  prove?(generation: Generation, signal: AbortSignal): Promise<readonly ServedReport[]>;
  /** End what still uses generations older than this one, losing nothing; drains of several generations may overlap. */
  drain?(generation: Generation, signal: AbortSignal): Promise<DrainReport>;
}

export interface DrainReport {
  /** Connections that were open on older generations when the drain began. */
  readonly connections: number;
  /** Of these, ended without cutting anything off. */
  readonly closed: number;
  /** Of these, destroyed at a deadline. */
  readonly cut: number;
}
