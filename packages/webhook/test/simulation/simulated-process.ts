import type { Clock } from "@newleaf/kube";
import type { Scheduled, Scheduler } from "./scheduler.ts";

/** A process as its clock and its event loop see it. Whatever enters it, timers or I/O, enters by `deliver`. */
export interface SimulatedProcess {
  readonly name: string;
  /** Monotonic time passes as for everybody; the wall clock is off by `skewMs`. */
  readonly clock: Clock;
  skewMs: number;
  readonly alive: boolean;
  /** Until then the event loop is blocked. */
  readonly awakeAt: number;
  /** Timers and I/O of its own that have not come. */
  readonly pending: number;
  /** Runs the callback in the process, as soon as its event loop is free; never once it is dead. */
  deliver(afterMs: number, callback: () => void): Scheduled;
  /** Blocks the event loop: timers and I/O come late, while time passes. */
  stall(ms: number): void;
  /** SIGKILL: nothing of it runs any more, and nothing that it awaits ever ends. */
  kill(): void;
}

export function createSimulatedProcess(
  name: string,
  scheduler: Scheduler,
  trueTime: () => number,
): SimulatedProcess {
  const open = new Set<Scheduled>();
  let alive = true;
  let awakeAt = 0;

  const process: SimulatedProcess = {
    name,
    skewMs: 0,
    clock: {
      now: () => Math.floor(trueTime() + process.skewMs),
      monotonic: () => scheduler.now,
      // As Node.js has it: whole milliseconds, and one at least.
      setTimeout: (callback, ms) => process.deliver(Math.max(1, Math.trunc(ms)), callback),
    },
    get alive() {
      return alive;
    },
    get awakeAt() {
      return awakeAt;
    },
    get pending() {
      return open.size;
    },
    deliver(afterMs, callback) {
      let event: Scheduled;
      const entry: Scheduled = {
        cancel() {
          open.delete(entry);
          event.cancel();
        },
      };
      const happen = (): void => {
        const left = awakeAt - scheduler.now;
        if (left > 0) {
          event = scheduler.after(left, happen);
          return;
        }
        open.delete(entry);
        callback();
      };
      event = scheduler.after(afterMs, happen);
      if (alive) open.add(entry);
      else event.cancel();
      return entry;
    },
    stall(ms) {
      awakeAt = Math.max(awakeAt, scheduler.now + ms);
    },
    kill() {
      alive = false;
      for (const entry of [...open]) entry.cancel();
    },
  };
  return process;
}
