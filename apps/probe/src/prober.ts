import { request } from "node:https";
import type { TLSSocket } from "node:tls";
import { delay, roundMs } from "@newleaf/daemon";
import { type Authorizer, createRotatingAgent, type IdentitySource } from "@newleaf/rotation";
import { type Certificate, parseCertificate } from "@newleaf/x509";
import { failureReason } from "./failure-reason.ts";
import { createLatencies } from "./latencies.ts";
import type { ProbeTarget } from "./target-url.ts";

export interface ProbeOptions {
  readonly target: ProbeTarget;
  readonly source: IdentitySource;
  /** Pause between two requests of one worker; 0 for none. */
  readonly everyMs: number;
  /** No request starts later than this; without it the signal ends the probe. */
  readonly forMs?: number;
  /** Workers that ask side by side. */
  readonly concurrency: number;
  /** For each request, handshake included. */
  readonly timeoutMs: number;
  /** Reuse connections; otherwise each request is a handshake of its own, as the seed's frontend does it. */
  readonly keepAlive?: boolean;
  readonly authorizeServer?: Authorizer;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: ProbeEvent) => void;
}

export type ProbeEvent =
  | {
      readonly type: "success";
      readonly at: Date;
      readonly status: number;
      readonly durationMs: number;
      /** Serial number of our own certificate, and of the server's. */
      readonly serialNumber: string;
      readonly serverSerialNumber: string;
    }
  | {
      readonly type: "failure";
      readonly at: Date;
      readonly reason: string;
      readonly message: string;
      readonly durationMs: number;
      readonly serialNumber: string;
    }
  | {
      /** A certificate that was not seen before: ours, or one of the server's. */
      readonly type: "rotation";
      readonly at: Date;
      readonly side: "own" | "server";
      readonly serialNumber: string;
      readonly notAfter: Date;
    };

export interface ProbeSummary {
  readonly requests: number;
  readonly failures: number;
  readonly failuresByReason: Readonly<Record<string, number>>;
  readonly rotations: { readonly own: number; readonly server: number };
  /** Milliseconds of successful requests; undefined without any. */
  readonly latencyMs: {
    readonly p50: number | undefined;
    readonly p99: number | undefined;
    readonly max: number | undefined;
  };
  readonly durationMs: number;
  readonly firstFailure: { readonly at: Date; readonly afterMs: number; readonly reason: string } | undefined;
}

/** Asks the target again and again over mTLS until its time is over or the signal aborts; never rejects for a failure. */
export async function runProbe(options: ProbeOptions): Promise<ProbeSummary> {
  const probe = new Probe(options);
  return probe.run();
}

class Probe {
  readonly #options: ProbeOptions;
  readonly #startedAt = performance.now();
  readonly #latencies = createLatencies();
  readonly #reasons = new Map<string, number>();
  readonly #servers = new Set<string>();
  #requests = 0;
  #failures = 0;
  #ownRotations = 0;
  #serverRotations = 0;
  #firstFailure: ProbeSummary["firstFailure"];

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  async run(): Promise<ProbeSummary> {
    const { source, concurrency, keepAlive = false, authorizeServer, signal } = this.#options;
    const over = new AbortController();
    await using agent = createRotatingAgent(source, {
      keepAlive,
      maxSockets: concurrency,
      ...(authorizeServer ? { authorizeServer } : {}),
    });
    const watching = this.#watchOwn(AbortSignal.any([signal, over.signal]));
    const workers = Array.from({ length: concurrency }, (_, index) => this.#work(agent, index));
    await Promise.all(workers);
    over.abort();
    await watching;
    return this.#summary();
  }

  async #watchOwn(signal: AbortSignal): Promise<void> {
    let first = true;
    for await (const { leaf, notAfter } of this.#options.source.watch(signal)) {
      if (!first) this.#rotated("own", leaf.serialNumber, notAfter);
      first = false;
    }
  }

  /** Workers begin one after the other within the first interval, so that they do not ask in step. */
  async #work(agent: Agent, index: number): Promise<void> {
    const { everyMs, forMs, concurrency, signal } = this.#options;
    let next = performance.now() + (everyMs * index) / concurrency;
    const end = forMs === undefined ? Number.POSITIVE_INFINITY : this.#startedAt + forMs;
    while (!signal.aborted) {
      const pauseMs = Math.min(next, end) - performance.now();
      if (pauseMs > 0) await delay(pauseMs, signal).catch(() => undefined);
      // A timer may fire a little early: what was planned for after the end is not asked for that.
      if (signal.aborted || next >= end || performance.now() >= end) return;
      await this.#ask(agent);
      // From the planned time, not from now: a slow answer does not thin out the requests after it.
      next = Math.max(next + everyMs, performance.now());
    }
  }

  async #ask(agent: Agent): Promise<void> {
    const at = new Date();
    const started = performance.now();
    const { leaf, notAfter } = this.#options.source.current();
    const { serialNumber } = leaf;
    this.#requests += 1;
    try {
      const { status, server } = await this.#request(agent);
      const durationMs = roundMs(performance.now() - started);
      if (server) this.#sawServer(server);
      if (status >= 400) throw Object.assign(new Error(`HTTP ${status}`), { status });
      this.#latencies.add(durationMs);
      const serverSerialNumber = server?.serialNumber ?? "";
      this.#emit({ type: "success", at, status, durationMs, serialNumber, serverSerialNumber });
    } catch (error) {
      this.#failed(error, { at, serialNumber, durationMs: roundMs(performance.now() - started) }, notAfter);
    }
  }

  #failed(
    error: unknown,
    facts: { at: Date; serialNumber: string; durationMs: number },
    notAfter: Date,
  ): void {
    const { status } = error as { status?: number };
    const { reason, message } =
      status === undefined ? failureReason(error) : { reason: `http_${status}`, message: `HTTP ${status}` };
    this.#failures += 1;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    this.#firstFailure ??= { at: facts.at, afterMs: roundMs(performance.now() - this.#startedAt), reason };
    const expired =
      notAfter.getTime() <= Date.now() ? `our certificate expired at ${notAfter.toISOString()}; ` : "";
    this.#emit({ type: "failure", reason, message: `${expired}${message}`, ...facts });
  }

  #request(agent: Agent): Promise<{ status: number; server: Certificate | undefined }> {
    const { target, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const outgoing = request(target.url, { agent, signal, headers: { "user-agent": "newleaf-probe" } });
      outgoing.once("response", (response) => {
        const raw = (response.socket as TLSSocket).getPeerX509Certificate()?.raw;
        const server = raw ? parseCertificate(raw) : undefined;
        response.once("error", reject);
        response.once("end", () => resolve({ status: response.statusCode ?? 0, server }));
        response.resume();
      });
      outgoing.on("error", (error) => reject(signal.aborted ? signal.reason : error));
      outgoing.end();
    });
  }

  /** Replicas and listeners have certificates of their own, so a rotation is one that was not seen yet. */
  #sawServer({ sha256, serialNumber, notAfter }: Certificate): void {
    if (this.#servers.has(sha256)) return;
    if (this.#servers.size > 0) this.#rotated("server", serialNumber, notAfter);
    this.#servers.add(sha256);
    const [oldest] = this.#servers;
    if (this.#servers.size > 1_000 && oldest !== undefined) this.#servers.delete(oldest);
  }

  #rotated(side: "own" | "server", serialNumber: string, notAfter: Date): void {
    if (side === "own") this.#ownRotations += 1;
    else this.#serverRotations += 1;
    this.#emit({ type: "rotation", at: new Date(), side, serialNumber, notAfter });
  }

  #emit(event: ProbeEvent): void {
    this.#options.onEvent?.(event);
  }

  #summary(): ProbeSummary {
    return {
      requests: this.#requests,
      failures: this.#failures,
      failuresByReason: Object.fromEntries(this.#reasons),
      rotations: { own: this.#ownRotations, server: this.#serverRotations },
      latencyMs: {
        p50: this.#latencies.percentile(0.5),
        p99: this.#latencies.percentile(0.99),
        max: this.#latencies.max,
      },
      durationMs: roundMs(performance.now() - this.#startedAt),
      firstFailure: this.#firstFailure,
    };
  }
}

type Agent = ReturnType<typeof createRotatingAgent>;
