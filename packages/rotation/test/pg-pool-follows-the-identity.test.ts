// The pool's own behaviour, on a stand-in for PostgreSQL; e2e/components/pg.e2e.ts has the real one.
import { createManualClock } from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import { createIdentityHolder } from "../src/identity-holder.ts";
import { createRotatingPool, type RotatingPoolOptions } from "../src/pg.ts";
import { startPostgresStandIn } from "./postgres-stand-in.ts";
import { createRotatingIdentity } from "./rotating-identity.ts";

async function createWorld(options: RotatingPoolOptions = {}, tlsOptions = {}) {
  const identity = createRotatingIdentity({ issue: { dnsNames: ["localhost"] } });
  const { chainPem: cert, keyPem: key, trustPem: ca } = identity.authority.issue({ dnsNames: ["localhost"] });
  const server = await startPostgresStandIn({ cert, key, ca, ...tlsOptions });
  const pool = createRotatingPool(identity.source, {
    host: "127.0.0.1",
    port: server.port,
    user: "app",
    database: "shop",
    ...options,
  });
  return {
    identity,
    server,
    pool,
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      await Promise.all([identity[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
    },
  };
}

const shown = (identity: ReturnType<typeof createRotatingIdentity>): string =>
  identity.leaf.certificate.sha256.toUpperCase().replaceAll(/..(?=.)/g, "$&:");

test("TLS after an SSLRequest, or at once with the protocol's name; ours is shown either way", async () => {
  await using usual = await createWorld();
  await usual.pool.query("select 1");
  const client = shown(usual.identity);
  expect(usual.server.connections).toEqual([{ began: "SSLRequest", protocol: false, client }]);

  await using direct = await createWorld({ sslnegotiation: "direct" }, { ALPNProtocols: ["postgresql"] });
  await direct.pool.query("select 1");
  expect(direct.server.connections).toMatchObject([{ began: "ClientHello", protocol: "postgresql" }]);
});

test("TLS 1.2 only when it is asked for", async () => {
  const old = { maxVersion: "TLSv1.2" };
  await using strict = await createWorld({}, old);
  await expect(strict.pool.query("select 1")).rejects.toThrow(/protocol version/i);
  await using lenient = await createWorld({ minVersion: "TLSv1.2" }, old);
  await lenient.pool.query("select 1");
  expect(lenient.server.connections).toHaveLength(1);
});

test("idle connections of an older generation are closed, and the next is of the newest", async () => {
  await using world = await createWorld();
  const { identity, pool, server } = world;
  await Promise.all([pool.query("select 1"), pool.query("select 1")]);
  expect(pool.idleCount).toBe(2);
  identity.rotate();
  const record = await pool.rotation.whenComplete(2, AbortSignal.timeout(5_000));
  expect(record.consumers).toMatchObject([{ name: "pg", drained: { connections: 2, closed: 2, cut: 0 } }]);
  expect(pool.totalCount).toBe(0);
  await pool.query("select 1");
  expect(server.connections.at(-1)?.client).toBe(shown(identity));
});

test("after the identity was withdrawn open connections end and nobody is connected to", async () => {
  await using world = await createWorld();
  const { leaf, authority } = world.identity;
  const holder = createIdentityHolder();
  holder.offer({ certificates: leaf.chainPem, key: leaf.key, trust: authority.certificates });
  await using source = holder.asSource({ reload: async () => {}, close: async () => {} });
  await using pool = createRotatingPool(source, { host: "127.0.0.1", port: world.server.port, user: "app" });
  await pool.query("select 1");
  holder.withdraw("the workload has no identity any more");
  await pool.rotation.whenComplete(2, AbortSignal.timeout(5_000));
  expect(pool.totalCount).toBe(0);
  await expect(pool.query("select 1")).rejects.toThrow();
  expect(world.server.connections).toHaveLength(1);
});

test("each connection has a lifetime of its own, within a fifth below what is given", async () => {
  const clock = createManualClock(Date.now());
  await using world = await createWorld({ clock, maxLifetimeSeconds: 100 });
  await Promise.all([world.pool.query("select 1"), world.pool.query("select 1")]);
  await clock.advance(79_000);
  expect(world.pool.totalCount).toBe(2);
  await clock.advance(22_000);
  expect(world.pool.totalCount).toBe(0);
});

describe("options that contradict the identity are refused before anything is opened", () => {
  test.each([
    { host: "/var/run/postgresql" },
    { connectionString: "postgres://db?sslmode=disable" },
    { connectionString: "postgres://db?sslkey=/tls.key" },
  ])("%o", async (options) => {
    await using identity = createRotatingIdentity();
    expect(() => createRotatingPool(identity.source, options)).toThrow(
      expect.objectContaining({ code: "ERR_ROTATION_OPTIONS" }),
    );
  });
});
