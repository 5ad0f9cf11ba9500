import { createHealth, createMetrics, type Logger } from "@newleaf/daemon";
import { type Consumer, type Rotation, type ServedReport, startRotation } from "@newleaf/rotation";
import { expect, test } from "vitest";
import { createRotatingIdentity, createSettableClock } from "../test/rotating-identity.ts";
import { observeRotation } from "./observe-rotation.ts";

const start = Date.parse("2026-01-31T12:00:00.000Z");
const hour = 3_600_000;

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

async function setup(
  options: { consumers?: readonly Consumer[]; crlMs?: number; keepBefore?: boolean } = {},
) {
  const clock = createSettableClock(start);
  const identity = createRotatingIdentity(clock, options);
  const consumers = options.consumers ?? [{ name: "server", load: () => {} }];
  const rotation = startRotation(identity.source, consumers, { clock });
  const [health, metrics] = [createHealth(), await createMetrics()];
  const lines: Line[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: { ...fields } });
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  const connections = new Map([[1, 3]]);
  const observation = observeRotation({
    rotation,
    source: identity.source,
    metrics,
    health,
    logger,
    clock,
    connections: () => connections,
  });
  return {
    ...{ clock, identity, rotation, health, lines, observation, connections },
    async scrape(name: string) {
      const text = await metrics.render();
      return text.split("\n").filter((line) => line.startsWith(name));
    },
    async [Symbol.asyncDispose]() {
      await observation[Symbol.asyncDispose]();
      await rotation[Symbol.asyncDispose]();
      await identity[Symbol.asyncDispose]();
    },
  };
}

/** What is done about a record happens in another turn than the record itself. */
async function untilLogged(lines: readonly Line[], message: string): Promise<Line> {
  await expect.poll(() => lines.map((line) => line.message), { timeout: 15_000 }).toContain(message);
  return lines.findLast((line) => line.message === message) as Line;
}

test("a complete rotation is one info line, is counted, and its stages are timed", async () => {
  await using world = await setup();
  await world.rotation.whenComplete(1);
  world.identity.rotate();
  await world.rotation.whenComplete(2);
  await expect.poll(() => world.lines.length, { timeout: 15_000 }).toBe(2);
  expect(world.lines[1]).toMatchObject({
    level: "info",
    message: "rotation complete",
    fields: {
      generation: 2,
      identity: "backend.shop.svc",
      afterMs: { delivered: 0, loaded: expect.any(Number) },
    },
  });
  expect(await world.scrape("newleaf_rotations_total")).toEqual([
    `newleaf_rotations_total{outcome="complete"} 2`,
    `newleaf_rotations_total{outcome="refused"} 0`,
    `newleaf_rotations_total{outcome="stalled"} 0`,
    `newleaf_rotations_total{outcome="superseded"} 0`,
  ]);
  expect(await world.scrape(`newleaf_rotation_stage_seconds_count`)).toContain(
    `newleaf_rotation_stage_seconds_count{stage="served"} 2`,
  );
  expect(await world.scrape("newleaf_identity_generation")).toEqual(["newleaf_identity_generation 2"]);
  expect(await world.scrape("newleaf_certificate_not_after")).toEqual([
    `newleaf_certificate_not_after_timestamp_seconds{identity="backend.shop.svc"} ${(start + hour) / 1_000}`,
  ]);
});

test("a refused update has its code, and its source has warned of it; a stale source with a valid identity stays ready", async () => {
  await using world = await setup();
  await world.rotation.whenComplete(1);
  world.identity.breakUpdate();
  const line = await untilLogged(world.lines, "rotation refused");
  expect(line).toMatchObject({ level: "debug", fields: { code: "key_mismatch", generation: 1 } });
  expect(await world.scrape("newleaf_updates_refused_total")).toEqual([
    `newleaf_updates_refused_total{code="key_mismatch"} 1`,
  ]);
  expect(await world.scrape("newleaf_identity_stale")).toEqual(["newleaf_identity_stale 1"]);
  const readiness = await world.health.readiness();
  expect(readiness.ok).toBe(true);
  expect(readiness.checks.identity?.details).toMatchObject({
    generation: 1,
    stale: true,
    expiresInSeconds: 3_600,
    refusals: { key_mismatch: 1 },
    lastRefusal: { code: "key_mismatch" },
  });
  world.identity.rotate();
  await world.rotation.whenComplete(2);
  expect(await world.scrape("newleaf_identity_stale")).toEqual(["newleaf_identity_stale 0"]);
});

test("an expired identity is not ready: the reason names the expiry and why there is no newer one", async () => {
  await using world = await setup();
  await world.rotation.whenComplete(1);
  world.identity.breakUpdate();
  world.clock.at = start + hour - 1;
  expect((await world.health.readiness()).ok).toBe(true);
  world.clock.at = start + hour + 90_000;
  const { ok, checks } = await world.health.readiness();
  expect(ok).toBe(false);
  expect(checks.identity?.reason).toMatch(
    /^the certificate of backend\.shop\.svc expired 1m30s ago \(2026-01-31T13:00:00\.000Z\); the last update was refused: /,
  );
  world.identity.rotate();
  await world.rotation.whenComplete(2);
  expect((await world.health.readiness()).ok).toBe(true);
});

test("a clock before the certificate's time is not ready and says so", async () => {
  await using world = await setup();
  await world.rotation.whenComplete(1);
  world.clock.at = start - hour;
  expect((await world.health.readiness()).checks.identity?.reason).toMatch(
    /not valid before .*: check the clock$/,
  );
});

test("an expired revocation list is not ready", async () => {
  await using world = await setup({ crlMs: 60_000 });
  await world.rotation.whenComplete(1);
  expect((await world.health.readiness()).ok).toBe(true);
  world.clock.at = start + 61_000;
  expect((await world.health.readiness()).checks.identity?.reason).toMatch(
    /^a revocation list expired 1s ago/,
  );
});

test("nothing loaded is not ready", async () => {
  let load = (): void => {};
  const loading = new Promise<void>((resolve) => {
    load = resolve;
  });
  await using world = await setup({ consumers: [{ name: "slow", load: () => loading }] });
  expect((await world.health.readiness()).checks.identity?.reason).toBe("no identity is loaded yet");
  load();
  await world.rotation.whenComplete(1);
  expect((await world.health.readiness()).ok).toBe(true);
});

test("while the next generation loads, the one before it keeps the process ready until it expires", async () => {
  const never = new Promise<void>(() => {});
  const consumer: Consumer = { name: "stuck", load: ({ number }) => (number === 1 ? undefined : never) };
  await using world = await setup({ consumers: [consumer] });
  await world.rotation.whenComplete(1);
  world.clock.at = start + hour / 2;
  world.identity.rotate();
  await expect.poll(() => world.rotation.status().generation, { timeout: 15_000 }).toBe(2);
  expect((await world.health.readiness()).ok).toBe(true);
  world.clock.at = start + hour + 5_000;
  expect((await world.health.readiness()).checks.identity?.reason).toMatch(
    /^generation 1 expired 5s ago .* and generation 2 is not loaded yet$/,
  );
});

test("what a target serves is compared with what was delivered", async () => {
  let verdict: ServedReport["verdict"] = "equal";
  const consumer: Consumer = {
    name: "server",
    load: () => {},
    prove: async (generation) => [
      {
        target: "https://127.0.0.1:8443",
        verdict,
        durationMs: 1,
        served: { leaf: generation.leaf, chain: [], protocol: "TLSv1.3" },
      },
    ],
  };
  await using world = await setup({ consumers: [consumer] });
  const matches = () => world.scrape("newleaf_served_matches_delivered");
  await world.rotation.whenComplete(1);
  expect(await matches()).toEqual([`newleaf_served_matches_delivered{target="https://127.0.0.1:8443"} 1`]);
  expect(await world.scrape("newleaf_served_not_after_timestamp_seconds")).toHaveLength(1);
  verdict = "older";
  world.identity.rotate();
  await untilLogged(world.lines, "rotation stalled");
  expect(await matches()).toEqual([`newleaf_served_matches_delivered{target="https://127.0.0.1:8443"} 0`]);
});

test("connections and rejections are counted", async () => {
  await using world = await setup();
  world.observation.countRejection({ code: "no_certificate" });
  world.observation.countRejection({ code: "no_certificate" });
  world.observation.countRejection({ code: "expired" });
  expect(await world.scrape("newleaf_rejections_total")).toEqual([
    `newleaf_rejections_total{code="no_certificate"} 2`,
    `newleaf_rejections_total{code="expired"} 1`,
  ]);
  world.identity.rotate();
  await world.rotation.whenComplete(2);
  world.connections.set(2, 5);
  expect(await world.scrape("newleaf_connections")).toEqual([
    `newleaf_connections{generation="current"} 5`,
    `newleaf_connections{generation="older"} 3`,
  ]);
});

test("/rotations is the identity, the source, and the records, newest first", async () => {
  await using world = await setup();
  await world.rotation.whenComplete(1);
  world.identity.rotate();
  await world.rotation.whenComplete(2);
  world.identity.breakUpdate();
  await untilLogged(world.lines, "rotation refused");
  const route = world.observation.routes["/rotations"];
  const document = JSON.parse((await route(new URL("http://admin/rotations"))).body);
  expect(document).toMatchObject({
    at: "2026-01-31T12:00:00.000Z",
    identity: {
      name: "backend.shop.svc",
      generation: 2,
      notAfter: "2026-01-31T13:00:00.000Z",
      trustedAuthorities: 1,
    },
    source: { stale: true, lastRefusal: { code: "key_mismatch" } },
    status: { generation: 2, served: 2 },
    connections: [{ generation: 1, count: 3 }],
    rotations: [{ outcome: "refused" }, { generation: 2, outcome: "complete" }, { generation: 1 }],
  });
  expect(JSON.stringify(document)).not.toMatch(/PRIVATE|BEGIN/);
  const limited = JSON.parse((await route(new URL("http://admin/rotations?limit=1"))).body);
  expect(limited.rotations).toHaveLength(1);
  expect((await route(new URL("http://admin/rotations?limit=x"))).status).toBe(400);
});

test("what was complete before it was observed is counted, and disposal takes the check away", async () => {
  const clock = createSettableClock(start);
  await using identity = createRotatingIdentity(clock);
  await using rotation: Rotation = startRotation(identity.source, [{ name: "server", load: () => {} }], {
    clock,
  });
  await rotation.whenComplete(1);
  const [health, metrics] = [createHealth(), await createMetrics()];
  const observation = observeRotation({ rotation, source: identity.source, metrics, health, clock });
  expect(await metrics.render()).toContain(`newleaf_rotations_total{outcome="complete"} 1`);
  expect(Object.keys((await health.readiness()).checks)).toEqual(["identity"]);
  await observation[Symbol.asyncDispose]();
  expect(Object.keys((await health.readiness()).checks)).toEqual([]);
});
