// X509-SVIDs of a real SPIRE that live for seconds, under a server and two kinds of clients: agent and server of SPIRE
// come and go, and a workload loses its registration. Needs: spire.
// NEWLEAF_E2E_SECONDS is how long the rotations go on (60 by default), for 20 of them at least.
import { setTimeout as sleep } from "node:timers/promises";
import { spiffe, type X509Source } from "@newleaf/spiffe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { component } from "../component.ts";
import { createRigidClient } from "../spire/rigid-client.ts";
import { startLoad, startService, watchWorkload } from "../spire/service.ts";
import { type Spire, startSpire } from "../spire.ts";
import { until } from "../until.ts";

const seconds = Number(process.env.NEWLEAF_E2E_SECONDS ?? 60);
const program = component("NEWLEAF_SPIRE");
const backend = "spiffe://example.org/backend";
const frontend = "spiffe://example.org/frontend";

describe.skipIf(program === undefined)("SPIRE (needs: spire)", () => {
  let spire: Spire;
  const entries = new Map<string, string>();

  beforeAll(async () => {
    spire = await startSpire({ program: program! });
    for (const spiffeId of [backend, frontend])
      entries.set(spiffeId, await spire.entries.create({ spiffeId, ttl: 12 }));
  });

  afterAll(() => spire?.[Symbol.asyncDispose]());

  const watch = (id: string): Promise<X509Source> => watchWorkload(spire, id);
  const setTtl = (spiffeId: string, ttl: number): Promise<void> =>
    spire.entries.update(entries.get(spiffeId) ?? "", { spiffeId, ttl });
  const secondsLeft = (source: X509Source): number =>
    (source.current().notAfter.getTime() - Date.now()) / 1000;
  const renewed = (source: X509Source, after: number): Promise<boolean> =>
    until("another generation", () => source.current().number > after, 30_000);

  test(
    "20 rotations and more under load: not one request fails",
    async (context) => {
      await using server = await watch(backend);
      await using client = await watch(frontend);
      await using service = await startService(server, spiffe.id(frontend));
      const load = startLoad(client, service.url, spiffe.id(backend));
      const started = performance.now();
      const enough = (): boolean => load.served.size > 20 && client.current().number > 20;
      await until(
        "20 rotations",
        () => performance.now() - started > seconds * 1000 && enough(),
        (seconds + 90) * 1000,
      );
      await load[Symbol.asyncDispose]();
      expect(load.failures).toEqual([]);
      expect(server.status()).toMatchObject({ refusals: {}, withdrawn: undefined });
      expect(client.status()).toMatchObject({ refusals: {}, withdrawn: undefined });
      // A client that rotates may give up a connection that it is opening; nothing was sent on it.
      expect(service.rejections.filter(({ code }) => code !== "handshake_failed")).toEqual([]);
      context.annotate(
        `${server.current().number - 1} rotations of the server, ${client.current().number - 1} of the client, ` +
          `${load.requests} requests in ${Math.round((performance.now() - started) / 1000)} s, 0 failures`,
      );
    },
    (seconds + 120) * 1000,
  );

  test("the agent is killed and started again: serving goes on, then rotating too", async () => {
    for (const id of [backend, frontend]) await setTtl(id, 60);
    await using server = await watch(backend);
    await using client = await watch(frontend);
    await using service = await startService(server, spiffe.id(frontend));
    await using load = startLoad(client, service.url, spiffe.id(backend));
    await load.more(50);
    const before = server.current().number;
    await spire.agent.kill();
    await until("the outage is known", () => !server.workloadApi().connected);
    expect(server.workloadApi().lastFailure?.reason).toBe("unavailable");
    await sleep(3000);
    await load.more(50);
    await spire.agent.start();
    await renewed(server, before);
    expect(server.workloadApi().connected).toBe(true);
    await renewed(client, before);
    await load.more(50);
    expect(load.failures).toEqual([]);
    expect(server.status().withdrawn).toBeUndefined();
  });

  test("the server is gone for a while: serving goes on, and rotating when it is back", async () => {
    await using server = await watch(backend);
    await using client = await watch(frontend);
    await using service = await startService(server, spiffe.id(frontend));
    await using load = startLoad(client, service.url, spiffe.id(backend));
    const mark = spire.agent.log.length;
    await spire.server.stop();
    await spire.agent.logged(/Synchronize failed/, mark);
    await sleep(3000);
    await load.more(50);
    const before = server.current().number;
    await spire.server.start();
    await spire.entries.renew();
    await renewed(server, before);
    await load.more(50);
    expect(load.failures).toEqual([]);
  });

  test("an entry is deleted: its workload is withdrawn, and who kept its certificate is out when that expires", async () => {
    // A server that rotates would drain the connection before its peer expires.
    await setTtl(backend, 600);
    await using server = await watch(backend);
    await until("a server that does not rotate", () => secondsLeft(server) > 300);
    await using client = await watch(frontend);
    await setTtl(frontend, 12);
    await until("a client of seconds", () => secondsLeft(client) < 13);
    await using service = await startService(server, spiffe.id(frontend));
    const kept = client.current();
    const rigid = createRigidClient(kept, service.port);
    const held = await rigid.hold();
    await spire.entries.delete(entries.get(frontend) ?? "");
    await until("withdrawal", () => client.status().withdrawn !== undefined);
    const withdrawn = startLoad(client, service.url, spiffe.id(backend));
    await withdrawn.more(8);
    await withdrawn[Symbol.asyncDispose]();
    expect(withdrawn.failures.length).toBe(withdrawn.requests);
    await expect(rigid.get()).resolves.toBe(200);
    await held.closed;
    // An idle connection is closed a little before, so that nothing has to be cut off.
    const early = kept.notAfter.getTime() - Date.now();
    expect(early).toBeGreaterThan(-1000);
    expect(early).toBeLessThan(5000);
    await sleep(early + 100);
    await expect(rigid.get()).rejects.toThrow();
    expect(service.rejections.at(-1)?.code).toBe("expired");

    entries.set(frontend, await spire.entries.create({ spiffeId: frontend, ttl: 60 }));
    await until("the identity is back", () => client.status().withdrawn === undefined);
    await using load = startLoad(client, service.url, spiffe.id(backend));
    await load.more(20);
    expect(load.failures).toEqual([]);
  });

  test("no entry is left: the agent denies, the identity is withdrawn, and nobody is let in until it is back", async () => {
    await using server = await watch(backend);
    await using client = await watch(frontend);
    await using service = await startService(server, spiffe.id(frontend));
    const rigid = createRigidClient(client.current(), service.port);
    await expect(rigid.get()).resolves.toBe(200);
    for (const entry of entries.values()) await spire.entries.delete(entry);
    await until(
      "withdrawal",
      () => server.status().withdrawn !== undefined && client.status().withdrawn !== undefined,
    );
    await expect(rigid.get()).rejects.toThrow();

    await spire.entries.create({ spiffeId: backend });
    await spire.entries.create({ spiffeId: frontend });
    await until(
      "both are back",
      () => server.status().withdrawn === undefined && client.status().withdrawn === undefined,
    );
    await using load = startLoad(client, service.url, spiffe.id(backend));
    await load.more(20);
    expect(load.failures).toEqual([]);
  });
});
