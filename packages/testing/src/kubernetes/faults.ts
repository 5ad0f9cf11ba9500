import type { StoreClock } from "./kube-store.ts";
import type { WatchItem } from "./kube-watch.ts";
import type { RequestInfo } from "./request-info.ts";

/** What goes wrong. Where `when` is left out, it is before anything was done. */
export type FaultAction =
  /** The connection is refused (`ECONNREFUSED`). */
  | { readonly kind: "refuse" }
  /** A Status instead of an answer: 429 with `retryAfterSeconds`, 500, 503. */
  | {
      readonly kind: "status";
      readonly code: number;
      readonly reason?: string;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
    }
  /** Never an answer; `after`: the request was carried out; `stream`: a body that goes silent without an end. */
  | { readonly kind: "stall"; readonly when?: "before" | "after" | "stream" }
  /** The connection is reset (`ECONNRESET`): `after` it was carried out, or in the `stream`, idle or not. */
  | { readonly kind: "reset"; readonly when?: "before" | "after" | "stream" }
  /** The body stops in the middle of a line, or of a character of UTF-8, and then the connection is reset or ended. */
  | { readonly kind: "cut"; readonly at: "line" | "character"; readonly then?: "reset" | "end" }
  /** The body comes in pieces that end within lines and characters; nothing is lost. */
  | { readonly kind: "split" }
  /** Time passes before the request is carried out, or before its headers are sent. */
  | { readonly kind: "delay"; readonly ms: number; readonly when?: "before" | "after" }
  /** A watch never says that the initial events are over. */
  | { readonly kind: "no-initial-events-end" }
  /** Each event of a watch comes twice. */
  | { readonly kind: "duplicate-events" }
  /** After each event of a watch the one before it comes again. */
  | { readonly kind: "old-events" };

/** Which requests a fault is for; what is left out matches all. */
export interface FaultFilter {
  readonly verbs?: readonly string[];
  /** Plural names, as in the path. */
  readonly resources?: readonly string[];
  readonly namespace?: string;
  readonly name?: string;
  /** Of the authenticated user. */
  readonly user?: string;
  /** What the filter cannot say. */
  readonly where?: (info: RequestInfo) => boolean;
  /** How often it strikes before it is over; without end by default. */
  readonly times?: number;
}

export type Fault = FaultAction & FaultFilter;

/** A fault that is on until it is removed. */
export interface ActiveFault extends Disposable {
  readonly hits: number;
  remove(): void;
}

export interface Faults {
  /** On from now, for open watches too. */
  add(fault: Fault): ActiveFault;
  /** For the next request that matches, and no other. */
  once(fault: Fault): ActiveFault;
  clear(): void;
  /** How far the wall clock of the API server is off, in milliseconds. */
  skewMs: number;
  /** A watch of a version that is no longer known is answered with HTTP 410, not with an ERROR in the stream. */
  expiredAsStatus: boolean;
}

/** What a fault is matched with. */
export interface FaultSubject {
  readonly info: RequestInfo;
  readonly user: string | undefined;
}

/** The faults, and the places in the handling of a request where they strike. */
export interface FaultBook extends Faults {
  /** Whether there are any. */
  any(): boolean;
  /** The first that matches and is of this kind; counts as a hit. */
  take<K extends Fault["kind"]>(
    subject: FaultSubject,
    kind: K,
    when?: string,
  ): (Fault & { kind: K }) | undefined;
  has(subject: FaultSubject, kind: Fault["kind"], when?: string): boolean;
  /** Called after each change, until what it returns is called. */
  onChange(listener: () => void): () => void;
  /** Waits while such a fault is on; rejects with the signal's reason. */
  stalled(subject: FaultSubject, when: "before" | "after", signal: AbortSignal): Promise<void>;
  disturb(subject: FaultSubject, item: WatchItem): readonly WatchItem[];
}

export function createFaultBook(): FaultBook {
  let entries: Entry[] = [];
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const add = (fault: Fault): ActiveFault => {
    const entry: Entry = { fault, hits: 0 };
    entries.push(entry);
    changed();
    const remove = (): void => {
      entries = entries.filter((other) => other !== entry);
      changed();
    };
    return {
      get hits() {
        return entry.hits;
      },
      remove,
      [Symbol.dispose]: remove,
    };
  };
  const find = (subject: FaultSubject, kind: Fault["kind"], when?: string): Entry | undefined =>
    entries.find(
      (entry) => entry.fault.kind === kind && whenOf(entry.fault) === when && matches(entry, subject),
    );

  const book: FaultBook = {
    skewMs: 0,
    expiredAsStatus: false,
    add,
    once: (fault) => add({ ...fault, times: 1 }),
    clear() {
      entries = [];
      book.skewMs = 0;
      book.expiredAsStatus = false;
      changed();
    },
    any: () => entries.length > 0,
    take<K extends Fault["kind"]>(subject: FaultSubject, kind: K, when?: string) {
      const entry = find(subject, kind, when);
      if (entry) entry.hits += 1;
      return entry?.fault as (Fault & { kind: K }) | undefined;
    },
    has: (subject, kind, when) => find(subject, kind, when) !== undefined,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async stalled(subject, when, signal) {
      const entry = find(subject, "stall", when);
      if (!entry) return;
      entry.hits += 1;
      await new Promise<void>((resolve, reject) => {
        const done = (): void => {
          signal.removeEventListener("abort", done);
          unsubscribe();
          if (signal.aborted) reject(signal.reason);
          else resolve();
        };
        const unsubscribe = book.onChange(() => {
          if (!entries.includes(entry)) done();
        });
        signal.addEventListener("abort", done, { once: true });
        if (signal.aborted) done();
      });
    },
    disturb(subject, item) {
      if (entries.length === 0) return [item];
      if (item.type === "BOOKMARK") {
        const lost = item.initialEventsEnd && book.take(subject, "no-initial-events-end") !== undefined;
        return lost ? [] : [item];
      }
      if (item.type === "ERROR") return [item];
      if (book.take(subject, "duplicate-events")) return [item, item];
      const old = item.event?.old;
      if (old && book.take(subject, "old-events"))
        return [item, { type: "MODIFIED", object: old, event: undefined }];
      return [item];
    },
  };
  return book;
}

interface Entry {
  readonly fault: Fault;
  hits: number;
}

function whenOf(fault: Fault): string | undefined {
  if (fault.kind === "stall" || fault.kind === "reset" || fault.kind === "delay")
    return fault.when ?? "before";
  return undefined;
}

function matches({ fault, hits }: Entry, { info, user }: FaultSubject): boolean {
  return (
    hits < (fault.times ?? Number.POSITIVE_INFINITY) &&
    (fault.verbs?.includes(info.verb) ?? true) &&
    (fault.resources?.includes(info.resource ?? "") ?? true) &&
    (fault.namespace === undefined || fault.namespace === info.namespace) &&
    (fault.name === undefined || fault.name === info.name) &&
    (fault.user === undefined || fault.user === user) &&
    (fault.where?.(info) ?? true)
  );
}

/** As Node.js reports what happens to connections. */
export function connectionError(code: "ECONNREFUSED" | "ECONNRESET"): Error {
  const message = code === "ECONNRESET" ? "read ECONNRESET" : "connect ECONNREFUSED 127.0.0.1";
  return Object.assign(new Error(message), { code });
}

/** Waits on the clock, or rejects with the signal's reason. */
export function pause(clock: StoreClock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const abort = (): void => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
