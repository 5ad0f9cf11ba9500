import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { createManualClock } from "../test/manual-clock.ts";
import { handleProcessSignals } from "./process-signals.ts";

function setup() {
  const emitter = new EventEmitter();
  const clock = createManualClock();
  const exits: number[] = [];
  const lines: string[] = [];
  const signals = handleProcessSignals({
    emitter,
    clock,
    graceMs: 25_000,
    exit: (code) => void exits.push(code),
    say: (line) => void lines.push(line),
  });
  return { emitter, clock, exits, lines, signals };
}

test("the first signal aborts, the second stops at once and says so", () => {
  const { emitter, exits, lines, signals } = setup();
  emitter.emit("SIGTERM");
  expect(signals.signal.reason).toMatchObject({
    code: "ERR_DAEMON_INTERRUPTED",
    message: "interrupted by SIGTERM",
  });
  expect(exits).toEqual([]);
  emitter.emit("SIGINT");
  expect(exits).toEqual([130]);
  expect(lines).toEqual(["second SIGINT: stopping at once"]);
});

test("a process that does not stop within the grace time is stopped", () => {
  const { emitter, clock, exits, lines } = setup();
  emitter.emit("SIGTERM");
  clock.advance(25_000);
  expect(exits).toEqual([1]);
  expect(lines[0]).toContain("did not stop within 25000 ms of SIGTERM");
});

test("SIGHUP reloads, and is harmless without a callback", () => {
  const { emitter, signals } = setup();
  emitter.emit("SIGHUP");
  let reloads = 0;
  const registration = signals.onReload(() => {
    reloads += 1;
  });
  emitter.emit("SIGHUP");
  registration[Symbol.dispose]();
  emitter.emit("SIGHUP");
  expect(reloads).toBe(1);
  expect(signals.signal.aborted).toBe(false);
});

test("disposal leaves no listener and no timer", () => {
  const { emitter, clock, signals } = setup();
  emitter.emit("SIGTERM");
  signals[Symbol.dispose]();
  expect(emitter.eventNames()).toEqual([]);
  expect(clock.pending).toBe(0);
});
