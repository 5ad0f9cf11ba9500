import { setTimeout as sleep } from "node:timers/promises";
import { parseProbeTarget, runProbe } from "@newleaf/probe";
import { createRolloverParticipant, type IdentitySource, startRotation, watchFiles } from "@newleaf/rotation";
import { createRotatingDispatcher, type RotatingDispatcherOptions } from "@newleaf/rotation/undici";
import { request } from "undici";
import type { DemoClient } from "./external-client.ts";

/** The seed's frontend: `newleaf probe` in this process, on kept-alive connections of an https.Agent. */
export async function startFrontend(
  directory: string,
  url: string,
  concurrency: number,
): Promise<DemoClient> {
  const source = await watchFiles({ directory });
  // The probe's agent asks the source at every connection: what the source has, it uses.
  const rotation = startRotation(source, []);
  const stop = new AbortController();
  let [requests, failures] = [0, 0];
  let lastFailure: string | undefined;
  const running = runProbe({
    target: parseProbeTarget(url),
    source,
    everyMs: 50,
    concurrency,
    timeoutMs: 10_000,
    keepAlive: true,
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === "rotation") return;
      requests++;
      if (event.type !== "failure") return;
      failures++;
      lastFailure = `${event.reason}: ${event.message}`;
    },
  });
  return {
    name: "https.Agent",
    participant: createRolloverParticipant({ name: "https.Agent", source, rotation }),
    tally: () => ({ requests, failures }),
    lastFailure: () => lastFailure,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await rotation[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

/** Workers on an undici dispatcher, as `fetch` uses it. */
export async function startUndici(directory: string, url: string, concurrency: number): Promise<DemoClient> {
  return startUndiciWith(await watchFiles({ directory }), { name: "undici", url, concurrency });
}

export interface UndiciClientOptions extends RotatingDispatcherOptions {
  readonly name: string;
  readonly url: string;
  readonly concurrency: number;
}

/** Takes the source over: it ends with the client. */
export function startUndiciWith(source: IdentitySource, options: UndiciClientOptions): DemoClient {
  const { name, url, concurrency, ...more } = options;
  const dispatcher = createRotatingDispatcher(source, more);
  let [requests, failures, stopped] = [0, 0, false];
  let lastFailure: string | undefined;
  const worker = async (): Promise<void> => {
    while (!stopped) {
      try {
        const response = await request(url, { dispatcher, headersTimeout: 10_000 });
        await response.body.dump();
        if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}`);
      } catch (error) {
        failures++;
        lastFailure = String(error);
      }
      requests++;
      await sleep(50);
    }
  };
  const workers = Array.from({ length: concurrency }, worker);
  return {
    name,
    participant: createRolloverParticipant({ name, source, rotation: dispatcher.rotation }),
    tally: () => ({ requests, failures }),
    lastFailure: () => lastFailure,
    async [Symbol.asyncDispose]() {
      stopped = true;
      await Promise.all(workers);
      await dispatcher[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}
