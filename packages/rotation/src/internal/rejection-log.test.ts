import { createManualClock } from "@newleaf/testing";
import { expect, test } from "vitest";
import { type Logger, silentLogger } from "../logger.ts";
import type { Rejection } from "../rejection.ts";
import { createRejectionLog, LINES_PER_SECOND } from "./rejection-log.ts";

const rejection: Rejection = {
  code: "expired",
  message: "expired",
  address: "192.0.2.1:4711",
  at: new Date(0),
  resumed: false,
  phase: "handshake",
};

function recorder(): { lines: [string, object][]; logger: Logger } {
  const lines: [string, object][] = [];
  const warn = (fields: object, message: string): void => void lines.push([message, fields]);
  return { lines, logger: { ...silentLogger, warn } };
}

test("one line each, and a sum for what a flood has beyond", async () => {
  const clock = createManualClock();
  const { lines, logger } = recorder();
  const seen: Rejection[] = [];
  const log = createRejectionLog({ clock, logger, onRejection: (each) => seen.push(each) });

  for (let count = 0; count < LINES_PER_SECOND + 50; count++) log.record(rejection);
  log.record({ ...rejection, code: "not_tls" });
  expect(lines).toHaveLength(LINES_PER_SECOND);
  expect(lines[0]).toEqual([
    "connection refused",
    { code: "expired", address: "192.0.2.1:4711", phase: "handshake", resumed: false, reason: "expired" },
  ]);

  await clock.advance(1_000);
  expect(lines.slice(LINES_PER_SECOND)).toEqual([
    ["more connections refused", { count: 51, byCode: { expired: 50, not_tls: 1 } }],
  ]);
  log.record(rejection);
  expect(lines).toHaveLength(LINES_PER_SECOND + 2);
  expect(log.counts()).toEqual({ expired: LINES_PER_SECOND + 51, not_tls: 1 });
  expect(seen).toHaveLength(LINES_PER_SECOND + 52);
  expect(clock.pending).toBe(0);
});

test("closing says what is still unsaid", () => {
  const clock = createManualClock();
  const { lines, logger } = recorder();
  const log = createRejectionLog({ clock, logger, onRejection: undefined });
  for (let count = 0; count < LINES_PER_SECOND + 3; count++) log.record(rejection);
  log.close();
  expect(lines.at(-1)).toEqual(["more connections refused", { count: 3, byCode: { expired: 3 } }]);
  expect(clock.pending).toBe(0);
});

test("a wall clock that was set back does not silence the log", () => {
  const clock = createManualClock();
  const { lines, logger } = recorder();
  const log = createRejectionLog({ clock, logger, onRejection: undefined });
  for (let count = 0; count < LINES_PER_SECOND; count++) log.record(rejection);
  clock.step(-3_600_000);
  log.record(rejection);
  expect(lines).toHaveLength(LINES_PER_SECOND + 1);
});
