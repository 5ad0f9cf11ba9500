import { setTimeout as sleep } from "node:timers/promises";
import type { CommandContext } from "@newleaf/daemon";
import type { ClientTally } from "./demo-result.ts";
import type { DemoClient } from "./external-client.ts";
import { createNarrator, type EventKind, type Narrator } from "./narrator.ts";

export interface DemoSetup {
  /** What the live view is headed with. */
  readonly title: string;
  readonly durationMs: number;
  /** Rows of the live view below its head: what is served, by whom. */
  headlines(): readonly string[];
}

/**
 * What the stories of a demo share: the live view, the clients that must not fail, the peers that were refused, the
 * problems, and the parts to be taken down at the end, the last one first.
 */
export class Demo implements AsyncDisposable {
  readonly #interrupting: AbortSignal;
  readonly #durationMs: number;
  readonly #startedAt = Date.now();
  readonly #over = new AbortController();
  readonly #narrator: Narrator;
  readonly #parts: AsyncDisposable[] = [];
  readonly #clients: DemoClient[] = [];
  readonly #refused: Record<string, number> = {};
  readonly #problems: string[] = [];
  #interrupted = false;
  /** Aborts when the demo is interrupted, and when it is over. */
  readonly signal: AbortSignal;

  constructor(context: CommandContext, options: DemoSetup) {
    this.#interrupting = context.signal;
    this.#durationMs = options.durationMs;
    this.signal = AbortSignal.any([context.signal, this.#over.signal]);
    this.#narrator = createNarrator(context, () => ({
      title: options.title,
      elapsedMs: this.#elapsedMs(),
      durationMs: options.durationMs,
      headlines: options.headlines(),
      clients: this.tallies(),
      refused: this.#refused,
    }));
  }

  /** It was stopped before it was over: what has not happened yet is no problem. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  get clients(): readonly DemoClient[] {
    return this.#clients;
  }

  /** Peers that were refused, by reason. */
  get refused(): Readonly<Record<string, number>> {
    return this.#refused;
  }

  get problems(): readonly string[] {
    return this.#problems;
  }

  tell(kind: EventKind, text: string): void {
    this.#narrator.tell(kind, text);
  }

  /** What the demo is there to show and did not happen: it fails with this. */
  problem(text: string): void {
    this.#problems.push(text);
    this.tell("bad", text);
  }

  countRefused(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1;
  }

  /** Has it taken down with the demo. */
  keep<T extends AsyncDisposable>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  addClient(client: DemoClient): void {
    this.#clients.push(this.keep(client));
  }

  tallies(): Readonly<Record<string, ClientTally>> {
    return Object.fromEntries(this.#clients.map((client) => [client.name, client.tally()]));
  }

  /** Has a story told; one that is cut off by an interruption, or comes after it, tells nothing. */
  async play<T>(story: () => Promise<T>): Promise<T | undefined> {
    if (this.signal.aborted) return undefined;
    try {
      return await story();
    } catch (error) {
      if (this.signal.aborted) return undefined;
      throw error;
    }
  }

  /** Waits until this share of the demo's time has passed, or it is interrupted. */
  async until(share: number): Promise<void> {
    const left = Math.max(0, share * this.#durationMs - this.#elapsedMs());
    await sleep(left, undefined, { signal: this.signal }).catch(() => {});
  }

  /** Ends the clients, so that none of them meets a server that is stopping, then whatever hangs on the signal. */
  async finish(): Promise<void> {
    this.#interrupted = this.#interrupting.aborted;
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    this.#over.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    for (const part of this.#parts.splice(0).reverse()) await part[Symbol.asyncDispose]();
    this.#narrator[Symbol.dispose]();
  }

  #elapsedMs(): number {
    return Date.now() - this.#startedAt;
  }
}
