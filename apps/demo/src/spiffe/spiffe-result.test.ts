import { createStyle } from "@newleaf/daemon";
import { expect, test } from "vitest";
import { NO_OUTAGE } from "./outage-story.ts";
import { renderSpiffeResult, type SpiffeDemoResult } from "./spiffe-result.ts";

const good: SpiffeDemoResult = {
  rotations: 12,
  requests: 300,
  failures: 0,
  refused: {},
  servedLagMs: { p50: 40, p99: 90, max: 90 },
  drained: 3,
  clients: { frontend: { requests: 300, failures: 0 } },
  interrupted: false,
  problems: [],
  outage: {
    failedAfterMs: 7_910,
    reason: "certificate has expired",
    diagnosis: ["served_expired"],
    words: [
      `it still serves an old one: ${"every new connection fails ".repeat(6)}`,
      "pg_ctl reload -D /data",
    ],
  },
  parts: { postgresql: true, envoy: false },
};

test("the table says what was real, when it failed and why, and the doctor's words in lines of a terminal", () => {
  const text = renderSpiffeResult(good, createStyle(false));
  expect(text).toMatch(/^database +PostgreSQL$/m);
  expect(text).toMatch(/^Envoy +left out$/m);
  expect(text).toMatch(/^issued to served +p50 40.0 ms/m);
  expect(text).toMatch(/^outage in act one +after 7.9 s: certificate has expired$/m);
  expect(text).toMatch(/^the doctor +served_expired$/m);
  expect(text).toMatch(/^ +pg_ctl reload -D \/data$/m);
  for (const line of text.split("\n")) expect(line.length).toBeLessThan(120);
});

test("an outage that never came is told apart from one that had not come yet", () => {
  const without = { ...good, outage: NO_OUTAGE };
  expect(renderSpiffeResult(without, createStyle(false))).toMatch(/^outage in act one +never came$/m);
  const early = { ...without, interrupted: true };
  expect(renderSpiffeResult(early, createStyle(false))).toMatch(/^outage in act one +had not come yet$/m);
});
