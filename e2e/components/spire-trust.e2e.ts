// What a real SPIRE says of trust reaches the peers: its authority rolls over, and another trust domain is federated and
// dropped. Needs: spire.
import { parseSpiffeBundle, spiffe, watchFederatedBundle, type X509Source } from "@newleaf/spiffe";
import { describe, expect, test } from "vitest";
import { component } from "../component.ts";
import { createRigidClient } from "../spire/rigid-client.ts";
import { startLoad, startService, watchWorkload } from "../spire/service.ts";
import { startSpire } from "../spire.ts";
import { until } from "../until.ts";

const program = component("NEWLEAF_SPIRE");
const anchors = (source: X509Source, trustDomain: string): number =>
  source.context().bundles.get(trustDomain)?.certificates.length ?? 0;

describe.skipIf(program === undefined)("trust by SPIRE (needs: spire)", () => {
  test("the authority rolls over under load, and what the old one signed is refused afterwards", async () => {
    const [backend, frontend] = ["spiffe://example.org/backend", "spiffe://example.org/frontend"];
    // Their own SVIDs are renewed every 5 s, because both lose each other with the old authority.
    await using spire = await startSpire({ program: program!, ownSvidSeconds: 20 });
    for (const spiffeId of [backend, frontend]) await spire.entries.create({ spiffeId, ttl: 60 });
    await using server = await watchWorkload(spire, backend);
    await using client = await watchWorkload(spire, frontend);
    await using service = await startService(server, spiffe.id(frontend));
    await using load = startLoad(client, service.url, spiffe.id(backend));
    const both = (what: string, check: (source: X509Source) => boolean): Promise<boolean> =>
      until(what, () => check(server) && check(client), 30_000);
    const old = createRigidClient(client.current(), service.port);
    const held = await old.hold();
    const { active } = await spire.authority.state();

    const prepared = await spire.authority.prepare();
    await both("old and new authority are trusted", (source) => anchors(source, "example.org") === 2);
    const marks = { agent: spire.agent.log.length, server: spire.server.log.length };
    await spire.authority.activate(prepared);
    const before = [server.current().number, client.current().number];
    await spire.entries.renew();
    await both("leaves of the new authority", ({ current }) => current().number > Math.max(...before));
    await spire.server.logged(/Rotating server SVID/, marks.server, 30_000);
    await spire.agent.logged(/Rotating agent SVID/, marks.agent, 30_000);
    await load.more(50);
    await expect(old.get()).resolves.toBe(200);

    await spire.authority.revoke(active ?? "");
    await both("only the new authority is trusted", (source) => anchors(source, "example.org") === 1);
    await held.closed;
    expect(service.rejections.at(-1)?.code).toBe("trust_removed");
    await expect(old.get()).rejects.toThrow();
    expect(service.rejections.at(-1)?.code).toBe("unknown_authority");
    await load.more(50);
    const after = Math.max(server.current().number, client.current().number);
    await spire.entries.renew();
    await both(
      "agent and server get on without the old authority",
      ({ current }) => current().number > after,
    );
    expect(load.failures).toEqual([]);
  }, 120_000);

  test("a peer of another trust domain is let in while that is federated, and no longer", async () => {
    await using here = await startSpire({ program: program!, trustDomain: "here.example" });
    await using there = await startSpire({ program: program!, trustDomain: "there.example" });
    await here.setBundle("there.example", await there.bundle());
    await there.setBundle("here.example", await here.bundle());
    const backend = "spiffe://here.example/backend";
    const frontend = "spiffe://there.example/frontend";
    await here.entries.create({ spiffeId: backend, federatesWith: ["there.example"] });
    await there.entries.create({ spiffeId: frontend, federatesWith: ["here.example"] });
    await using server = await watchWorkload(here, backend);
    await using client = await watchWorkload(there, frontend);
    await using service = await startService(server, spiffe.id(frontend));
    const load = startLoad(client, service.url, spiffe.id(backend));
    await load.more(50);
    await load[Symbol.asyncDispose]();
    expect(load.failures).toEqual([]);

    const rigid = createRigidClient(client.current(), service.port);
    const held = await rigid.hold();
    await here.deleteBundle("there.example");
    await held.closed;
    expect(service.rejections.at(-1)?.code).toBe("trust_removed");
    await expect(rigid.get()).rejects.toThrow();
    expect(service.rejections.at(-1)?.code).toBe("unknown_authority");
  }, 120_000);

  test("the server's bundle endpoint is read by https_spiffe, and followed through a new authority", async () => {
    await using spire = await startSpire({ program: program! });
    await using followed = await watchFederatedBundle({
      trustDomain: spire.trustDomain,
      url: spire.bundleEndpoint.url,
      profile: { type: "https_spiffe", endpointId: spire.bundleEndpoint.spiffeId },
      bundle: parseSpiffeBundle(spire.trustDomain, await spire.bundle()),
    });
    expect(followed.status()).toMatchObject({ polls: 1, failures: 0 });
    expect(followed.current().x509Authorities.certificates).toHaveLength(1);
    await spire.authority.prepare();
    await followed.refresh();
    expect(followed.status()).toMatchObject({ polls: 2, failures: 0 });
    expect(followed.current().x509Authorities.certificates).toHaveLength(2);
    expect(followed.current().jwtAuthorities.size).toBeGreaterThan(0);
  });
});
