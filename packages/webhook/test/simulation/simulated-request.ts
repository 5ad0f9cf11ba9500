import type { KubeRequest, KubeResponse } from "@newleaf/kube";
import type { KubernetesApi } from "@newleaf/testing";
import { createByteStream } from "./byte-stream.ts";
import type { NetworkOptions, OpenStream, Sender, Weather } from "./simulated-network.ts";

type ApiAnswer = Awaited<ReturnType<KubernetesApi["handle"]>>;

export interface RequestOptions extends NetworkOptions {
  readonly sender: Sender;
  readonly weather: Weather;
  /** Whether the sender is cut off, and how. */
  readonly cut: () => "refuse" | "drop" | undefined;
  readonly streams: Set<OpenStream>;
  readonly resolve: (response: KubeResponse) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One request on its way: it leaves when its process runs, arrives or not, is carried out, and is answered or not. An
 * abort ends the wait for it at once, and the request itself only if it has not gone too far.
 */
export class SimulatedRequest {
  readonly #options: RequestOptions;
  readonly #request: KubeRequest;
  readonly #what: string;
  /** The server's end of the connection. */
  readonly #server = new AbortController();
  #arrived = false;
  #settled = false;

  constructor(options: RequestOptions) {
    const { process, request } = options.sender;
    this.#options = options;
    this.#request = request;
    this.#what = `${process.name} ${request.method} ${shortPath(request.path)}`;
    request.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  send(): void {
    const { sender, weather, random, scheduler } = this.#options;
    const { process } = sender;
    // Between the decision and the first octet on the wire.
    if (this.#request.method !== "GET" && random.chance(weather.stalls)) {
      process.stall(random.between(1_000, 30_000));
      this.#note(`${process.name} stalls with it in its hands`);
    }
    if (process.awakeAt > scheduler.now)
      process.deliver(process.awakeAt - scheduler.now, () => this.#leave());
    else this.#leave();
  }

  #leave(): void {
    const { weather, random, scheduler } = this.#options;
    const how = this.#options.cut();
    if (scheduler.now < weather.downUntil || how === "refuse") {
      this.#fail("ECONNREFUSED");
    } else if (how === "drop" || random.chance(weather.lostRequests)) {
      this.#note("lost");
    } else if (random.chance(weather.refusals)) {
      const code = random.pick([429, 500, 503]);
      this.#note(String(code));
      this.#settle(() => this.#options.resolve(statusResponse(code)));
    } else {
      const late = random.chance(weather.stragglers);
      if (late) this.#note("held up");
      scheduler.after(late ? random.between(1_000, 60_000) : this.#latency(), () => this.#arrive());
    }
  }

  #arrive(): void {
    const { weather, scheduler } = this.#options;
    this.#arrived = true;
    if (this.#server.signal.aborted) return;
    if (scheduler.now < weather.downUntil) this.#fail("ECONNRESET");
    else void this.#handle().catch(() => this.#fail("ECONNRESET"));
  }

  async #handle(): Promise<void> {
    const { api, sender, random, weather, resolve, onHandle } = this.#options;
    onHandle(sender);
    const answer = await api.handle({ ...this.#request, path: this.#path(), signal: this.#server.signal });
    onHandle(undefined);
    if (this.#request.path.includes("watch=")) {
      this.#openStream(answer);
      return;
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of answer.body) chunks.push(chunk);
    this.#note(String(answer.status));
    if (random.chance(weather.lostAnswers)) {
      this.#note("answer lost");
      return;
    }
    // Carried out, and the server does not know it.
    const unsure = this.#request.method !== "GET" && random.chance(weather.refusals / 4);
    const { status, headers } = answer;
    this.#settle(() => resolve(unsure ? statusResponse(504) : { status, headers, body: of(chunks) }));
  }

  #openStream(answer: ApiAnswer): void {
    const { streams, sender, scheduler, resolve } = this.#options;
    const { signal } = this.#request;
    const body = createByteStream(() => {
      streams.delete(stream);
      scheduler.after(this.#latency(), () => this.#server.abort());
    });
    const stream: OpenStream = { process: sender.process, body, server: this.#server, silent: false };
    streams.add(stream);
    signal.addEventListener("abort", () => body.fail(signal.reason), { once: true });
    // The other end may be gone by now.
    if (this.#settled || !sender.process.alive) body.end();
    else this.#settle(() => resolve({ status: answer.status, headers: answer.headers, body }));
    void this.#pump(stream, answer.body);
  }

  async #pump(stream: OpenStream, body: AsyncIterable<Uint8Array>): Promise<void> {
    const { scheduler } = this.#options;
    let lastAt = 0;
    const deliver = (callback: () => void): void => {
      lastAt = Math.max(lastAt, scheduler.now + this.#latency());
      stream.process.deliver(lastAt - scheduler.now, () => {
        if (!stream.silent) callback();
      });
    };
    try {
      for await (const chunk of body) deliver(() => stream.body.push(chunk));
      deliver(() => stream.body.end());
    } catch {
      deliver(() => stream.body.fail(connectionError("ECONNRESET")));
    }
  }

  /** A list from a cache may be one of some changes ago, if that of another API server is behind. */
  #path(): string {
    const { api, random, weather } = this.#options;
    const { method, path } = this.#request;
    const cached = method === "GET" && /[?&]resourceVersion=0(&|$)/.test(path);
    if (!cached || !random.chance(weather.staleLists)) return path;
    const { oldestVersion, resourceVersion } = api.store.table;
    const version = Math.floor(Math.max(oldestVersion, resourceVersion - random.between(0, 40)));
    this.#note(`as of ${version} instead of ${resourceVersion}`);
    return path.replace(/resourceVersion=0/, `resourceVersion=${version}&resourceVersionMatch=Exact`);
  }

  readonly #onAbort = (): void => {
    if (this.#settled) return;
    this.#settled = true;
    const { reject, random, scheduler } = this.#options;
    reject(this.#request.signal.reason);
    if (this.#arrived || random.chance(0.3)) scheduler.after(this.#latency(), () => this.#server.abort());
  };

  #fail(code: string): void {
    this.#settle(() => this.#options.reject(connectionError(code)));
  }

  #settle(how: () => void): void {
    this.#options.sender.process.deliver(this.#latency(), () => {
      if (this.#settled) return;
      this.#settled = true;
      this.#request.signal.removeEventListener("abort", this.#onAbort);
      how();
    });
  }

  #latency(): number {
    return this.#options.random.between(1, this.#options.weather.slowest);
  }

  #note(what: string): void {
    this.#options.trace.add(this.#options.scheduler.now, `${this.#what}: ${what}`);
  }
}

/** As Node.js reports what happens to connections. */
export function connectionError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const REASONS: Readonly<Record<number, string>> = {
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

function statusResponse(code: number): KubeResponse {
  const about = { status: "Failure", message: "simulated", reason: REASONS[code], code };
  return {
    status: code,
    headers: { "content-type": "application/json", ...(code === 429 && { "retry-after": "1" }) },
    body: of([Buffer.from(JSON.stringify({ kind: "Status", apiVersion: "v1", ...about }))]),
  };
}

async function* of(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function shortPath(path: string): string {
  return path
    .replace(/^\/apis?\/([^/]*\/)?v1\//, "")
    .replace(/namespaces\/shop\//, "")
    .slice(0, 60);
}
