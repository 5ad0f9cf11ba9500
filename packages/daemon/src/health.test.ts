import { expect, test } from "vitest";
import { createManualClock } from "../test/manual-clock.ts";
import { createHealth } from "./health.ts";

test("ready only while every check is; the reason comes from the check", async () => {
  const health = createHealth();
  expect((await health.readiness()).ok).toBe(true);
  health.addReadiness("listener", () => ({ ok: true, details: { port: 8443 } }));
  const bad = health.addReadiness("identity", async () => ({ ok: false, reason: "expired" }));
  expect(await health.readiness()).toEqual({
    ok: false,
    checks: { listener: { ok: true, details: { port: 8443 } }, identity: { ok: false, reason: "expired" } },
  });
  expect((await health.liveness()).ok).toBe(true);
  bad[Symbol.dispose]();
  expect((await health.readiness()).ok).toBe(true);
});

test("a check that throws, synchronously or not, has failed", async () => {
  const health = createHealth();
  health.addLiveness("sync", () => {
    throw new Error("broken");
  });
  health.addLiveness("async", () => Promise.reject(new Error("also broken")));
  const { ok, checks } = await health.liveness();
  expect(ok).toBe(false);
  expect(checks).toEqual({
    sync: { ok: false, reason: "broken" },
    async: { ok: false, reason: "also broken" },
  });
});

test("a check that does not answer has failed after its time", async () => {
  const clock = createManualClock();
  const health = createHealth({ timeoutMs: 500, clock });
  health.addReadiness("slow", () => new Promise(() => {}));
  const report = health.readiness();
  clock.advance(500);
  expect((await report).checks).toEqual({ slow: { ok: false, reason: "no answer within 500 ms" } });
});

test("after shutDown it never gets ready again", async () => {
  const health = createHealth();
  health.shutDown("shutting down");
  health.addReadiness("identity", () => ({ ok: true }));
  expect(await health.readiness()).toMatchObject({
    ok: false,
    checks: { shutdown: { reason: "shutting down" } },
  });
  expect((await health.liveness()).ok).toBe(true);
});
