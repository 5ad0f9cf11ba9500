import { type Clock, systemClock } from "./clock.ts";
import { DaemonError } from "./error.ts";

/** The part of `process` that delivers signals and crashes; tests pass an EventEmitter. */
export type SignalEmitter = Pick<NodeJS.EventEmitter, "on" | "off">;

export interface ProcessSignalsOptions {
  readonly emitter: SignalEmitter;
  /** Ends the process now; called on the second signal, and when `graceMs` has passed after the first. */
  exit(code: number): void;
  /** Writes one line to the person at the terminal. */
  say(line: string): void;
  readonly graceMs: number;
  readonly clock?: Clock;
}

export interface ProcessSignals extends Disposable {
  /** Aborts on the first SIGTERM or SIGINT, with an `ERR_DAEMON_INTERRUPTED` that names it. */
  readonly signal: AbortSignal;
  /** 128 and the number of the first SIGINT or SIGTERM, as shells expect it of a command that was cut off. */
  readonly exitCode: 130 | 143 | undefined;
  /** Calls back on every SIGHUP; without a callback SIGHUP is ignored. */
  onReload(callback: () => void): Disposable;
}

const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** First SIGTERM or SIGINT: abort. A second one, or the end of the grace time: stop at once. SIGHUP: reload. */
export function handleProcessSignals(options: ProcessSignalsOptions): ProcessSignals {
  const { emitter, graceMs, clock = systemClock } = options;
  const controller = new AbortController();
  const reloads = new Set<() => void>();
  let timer: { cancel(): void } | undefined;
  let exitCode: ProcessSignals["exitCode"];

  const stop = (name: keyof typeof exitCodes) => () => {
    if (controller.signal.aborted) {
      options.say(`second ${name}: stopping at once`);
      options.exit(exitCodes[name]);
      return;
    }
    exitCode = exitCodes[name];
    timer = clock.setTimeout(() => {
      options.say(`did not stop within ${graceMs} ms of ${name}: stopping at once`);
      options.exit(1);
    }, graceMs);
    controller.abort(new DaemonError("ERR_DAEMON_INTERRUPTED", `interrupted by ${name}`));
  };
  const listeners: readonly (readonly [string, () => void])[] = [
    ["SIGINT", stop("SIGINT")],
    ["SIGTERM", stop("SIGTERM")],
    ["SIGHUP", () => [...reloads].map((callback) => callback())],
  ];
  for (const [name, listener] of listeners) emitter.on(name, listener);

  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    onReload(callback) {
      reloads.add(callback);
      return { [Symbol.dispose]: () => void reloads.delete(callback) };
    },
    [Symbol.dispose]() {
      timer?.cancel();
      for (const [name, listener] of listeners) emitter.off(name, listener);
    },
  };
}
