import type { KubeRequest, KubeTransport } from "@newleaf/kube";
import type { KubernetesApi } from "@newleaf/testing";
import type { ByteStream } from "./byte-stream.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { connectionError, SimulatedRequest } from "./simulated-request.ts";
import type { Trace } from "./trace.ts";

/** What is between the processes and the API server, and how bad it is at the moment. */
export interface SimulatedNetwork {
  transport(process: SimulatedProcess): KubeTransport;
  readonly weather: Weather;
  /** `refuse`: at once; `drop`: without an answer. */
  cutOff(process: string, how: "refuse" | "drop"): void;
  reconnect(process: string): void;
  /** Watches of one process, or of all: they break, or go silent without an end. */
  disturbStreams(how: "reset" | "silence", process?: string): void;
  /** The server's ends of the connections of a process that is gone. */
  forget(process: string): void;
  /** Watches that are not at an end. */
  readonly streams: number;
}

/** Probabilities for each request, where nothing else is said. */
export interface Weather {
  /** Milliseconds, one way. */
  slowest: number;
  lostRequests: number;
  /** Carried out, and nobody learns of it. */
  lostAnswers: number;
  /** Held up for up to a minute: longer than any Lease lasts. */
  stragglers: number;
  /** 429, 500, 503, and 504 of what was carried out. */
  refusals: number;
  /** The event loop blocks right before a request leaves. */
  stalls: number;
  /** Lists from a cache that is behind. */
  staleLists: number;
  /** Until then nobody answers. */
  downUntil: number;
}

export const FAIR: Readonly<Omit<Weather, "downUntil">> = {
  slowest: 15,
  lostRequests: 0,
  lostAnswers: 0,
  stragglers: 0,
  refusals: 0,
  stalls: 0,
  staleLists: 0,
};

/** Who is writing, while the API server handles a request. */
export interface Sender {
  readonly process: SimulatedProcess;
  readonly request: KubeRequest;
  readonly sentAt: number;
}

export interface NetworkOptions {
  readonly api: KubernetesApi;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly trace: Trace;
  /** When a process sends, whatever becomes of it. */
  readonly onSend: (sender: Sender) => void;
  /** Before and, with `undefined`, after the API server carries a request out. */
  readonly onHandle: (sender: Sender | undefined) => void;
}

/** A watch under way. */
export interface OpenStream {
  readonly process: SimulatedProcess;
  readonly body: ByteStream;
  readonly server: AbortController;
  silent: boolean;
}

export function createSimulatedNetwork(options: NetworkOptions): SimulatedNetwork {
  const { scheduler } = options;
  const cut = new Map<string, "refuse" | "drop">();
  const streams = new Set<OpenStream>();
  const weather: Weather = { ...FAIR, downUntil: 0 };
  return {
    weather,
    transport: (process) => ({
      server: "simulated",
      send: (request) =>
        new Promise((resolve, reject) => {
          if (request.signal.aborted) return reject(request.signal.reason);
          const sender: Sender = { process, request, sentAt: scheduler.now };
          options.onSend(sender);
          const state = { sender, weather, streams, resolve, reject, cut: () => cut.get(process.name) };
          new SimulatedRequest({ ...options, ...state }).send();
        }),
      async [Symbol.asyncDispose]() {},
    }),
    cutOff: (process, how) => void cut.set(process, how),
    reconnect: (process) => void cut.delete(process),
    disturbStreams(how, process) {
      for (const stream of [...streams]) {
        if (process !== undefined && stream.process.name !== process) continue;
        if (how === "silence") stream.silent = true;
        else stream.process.deliver(0, () => stream.body.fail(connectionError("ECONNRESET")));
      }
    },
    forget(process) {
      for (const stream of [...streams]) {
        if (stream.process.name !== process || stream.process.alive) continue;
        streams.delete(stream);
        stream.server.abort();
      }
    },
    get streams() {
      return streams.size;
    },
  };
}
