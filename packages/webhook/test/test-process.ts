import type { Clock, KubeRequest, KubeResponse, KubeTransport } from "@newleaf/kube";
import type { KubernetesApi, ManualClock } from "@newleaf/testing";

/** A process as its clock and its network see it: it can be killed, stalled, cut off, and told the wrong time. */
export interface TestProcess {
  readonly clock: Clock;
  readonly transport: KubeTransport;
  /** Of the wall clock, in milliseconds. */
  skewMs: number;
  /** The API server cannot be reached; what is open is reset. */
  partitioned: boolean;
  /** Told of each request before it is sent, which waits for what is returned. */
  onRequest: ((request: KubeRequest) => unknown) | undefined;
  /** Told of each request when it has been carried out and the process does not know yet. */
  onCarriedOut: ((request: KubeRequest) => void) | undefined;
  /** Nothing of it runs any more, from this moment on, and nothing ends. */
  kill(): void;
  /** No callback runs for so long, as when the event loop is blocked; then all do. */
  stall(ms: number): void;
}

export function createTestProcess(name: string, clock: ManualClock, api: KubernetesApi): TestProcess {
  let killed = false;
  let awakeAt = 0;
  const never = new Promise<never>(() => {});
  /** Resolves when the process runs. */
  const running = async (): Promise<void> => {
    while (!killed && clock.monotonic() < awakeAt) {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, awakeAt - clock.monotonic()));
    }
    if (killed) await never;
  };
  const inner = api.transport({ user: name });
  const refuse = (): never => {
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  };
  const process: TestProcess = {
    clock: {
      now: () => clock.now() + process.skewMs,
      monotonic: () => clock.monotonic(),
      setTimeout(callback, ms) {
        let cancelled = false;
        const fire = (): void => {
          if (cancelled || killed) return;
          const left = awakeAt - clock.monotonic();
          if (left > 0) timer = clock.setTimeout(fire, left);
          else callback();
        };
        let timer = clock.setTimeout(fire, ms);
        return {
          cancel() {
            cancelled = true;
            timer.cancel();
          },
        };
      },
    },
    transport: {
      server: inner.server,
      async send(request) {
        await process.onRequest?.(request);
        await running();
        if (process.partitioned) refuse();
        const response = await inner.send(request);
        process.onCarriedOut?.(request);
        await running();
        return { ...response, body: whileRunning(response.body) } as KubeResponse;
      },
      async [Symbol.asyncDispose]() {},
    },
    skewMs: 0,
    partitioned: false,
    onRequest: undefined,
    onCarriedOut: undefined,
    kill() {
      killed = true;
    },
    stall(ms) {
      awakeAt = clock.monotonic() + ms;
    },
  };

  async function* whileRunning(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      await running();
      if (process.partitioned) throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
      yield chunk;
    }
    await running();
  }
  return process;
}
