import { expect, test } from "vitest";
import { DrainLedger, peerDrainAt, planDrain } from "./drain.ts";
import type { Connection } from "./internal/connection.ts";

const HOUR = 3_600_000;

function connection(servedUntil: number, servedBy = 1): Connection {
  const never = Number.POSITIVE_INFINITY;
  return { servedBy, servedUntil, drainAt: never, deadline: never, wasCut: false } as unknown as Connection;
}

test("by default what is under way has until the old certificate expires", () => {
  const one = connection(HOUR);
  planDrain(one, 0, {});
  expect(one.deadline).toBe(HOUR);
  expect(one.drainAt).toBeLessThanOrEqual(5_000);
});

test("asking is spread over a quarter of a short time", () => {
  const asked = Array.from({ length: 200 }, () => {
    const one = connection(1_000_020_000);
    planDrain(one, 1_000_000_000, { drainTimeoutMs: 4_000 });
    return one.drainAt - 1_000_000_000;
  });
  expect(Math.max(...asked)).toBeLessThanOrEqual(1_000);
  expect(Math.max(...asked)).toBeGreaterThan(500);
  expect(Math.min(...asked)).toBeLessThan(500);
});

test("a certificate that has expired already leaves ten seconds", () => {
  const one = connection(0);
  planDrain(one, HOUR, {});
  expect(one.deadline).toBe(HOUR + 10_000);
});

test("the next rotation does not put a drain off", () => {
  const one = connection(HOUR);
  planDrain(one, 0, { drainJitterMs: 0, drainTimeoutMs: 1_000 });
  planDrain(one, 500, { drainJitterMs: 0, drainTimeoutMs: 1_000 });
  expect(one).toMatchObject({ drainAt: 0, deadline: 1_000 });
});

test.each([
  [HOUR, 0, HOUR - 30_000],
  [6_000, 0, 5_000],
  [HOUR, HOUR - 6_000, HOUR - 1_000],
])("a peer whose certificate ends at %d ms and came at %d is asked to come back at %d", (end, since, at) => {
  const leaf = { notBefore: new Date(-24 * HOUR), notAfter: new Date(end) };
  const path = [leaf, { notBefore: new Date(0), notAfter: new Date(10 * HOUR) }];
  expect(peerDrainAt({ peer: { leaf, path }, since } as unknown as Connection)).toBe(at);
});

test("overlapping drains each count what was older than they are", async () => {
  const ledger = new DrainLedger();
  const second = ledger.open(2, 1);
  const third = ledger.open(3, 2);
  ledger.settle(1);
  ledger.left(connection(HOUR, 1));
  ledger.settle(2);
  expect(await second).toEqual({ connections: 1, closed: 1, cut: 0 });
  expect(ledger.newest).toBe(3);
  ledger.left(Object.assign(connection(HOUR, 2), { wasCut: true }));
  ledger.settle(Number.POSITIVE_INFINITY);
  expect(await third).toEqual({ connections: 2, closed: 1, cut: 1 });
  expect(ledger.newest).toBe(0);
});

test("asked again, a drain is the same drain", async () => {
  const ledger = new DrainLedger();
  const first = ledger.open(2, 5);
  expect(ledger.open(2, 3)).toBe(first);
});
