import { status } from "@grpc/grpc-js";
import type { X509SVIDResponse } from "@newleaf/proto";
import { expect, onTestFinished, test } from "vitest";
import { authority, clientOf, errorOf, ids, other, start, watch } from "../test/updates.ts";
import { createWorkloadApiClient } from "./workload-api-client.ts";

test.each([false, true])("Workload Endpoint 3: every call carries the metadata, tcp: %s", async (tcp) => {
  const server = await start({ tcp });
  const client = clientOf(server);
  await client.fetchX509Context();
  await client.fetchX509Bundles();
  const [svid] = await client.fetchJwtSvids({ audience: "db" });
  await client.fetchJwtBundles();
  await client.validateJwtSvid({ token: svid!.token, audience: "db" });
  const stop = new AbortController();
  for (const updates of [client.watchX509Context, client.watchX509Bundles, client.watchJwtBundles]) {
    expect((await updates(stop.signal).next()).value).toMatchObject({ kind: "value" });
  }
  stop.abort();
  expect(server.counters.withoutMetadata).toBe(0);
  expect(server.counters.calls).toEqual({
    FetchX509SVID: 2,
    FetchX509Bundles: 2,
    FetchJWTSVID: 1,
    FetchJWTBundles: 2,
    ValidateJWTSVID: 1,
  });
  await server.until(({ open }) => Object.values(open).every((count) => count === 0));
});

test("Workload API 4.3: every message is taken as the whole", async () => {
  const server = await start({ workloads: [{ path: "/a" }, { path: "/b" }], federated: [other] });
  const updates = watch(clientOf(server));
  const first = await updates.value();
  expect(ids(first)).toEqual(["spiffe://example.org/a", "spiffe://example.org/b"]);
  expect([...first.bundles.keys()]).toEqual(["example.org", "other.org"]);
  server.setWorkloads([{ path: "/b" }]);
  expect(ids(await updates.value())).toEqual(["spiffe://example.org/b"]);
});

test("Workload API 4.4: emptied fields keep nothing of before", async () => {
  const server = await start({ federated: [other], workloads: [{ hint: "internal" }] });
  const updates = watch(clientOf(server));
  expect((await updates.value()).bundles.has("other.org")).toBe(true);
  server.unfederate("other.org");
  expect((await updates.value()).bundles.has("other.org")).toBe(false);
  server.setWorkloads([{}]);
  expect((await updates.value()).svids[0]!.hint).toBe("");
  server.redact();
  expect(await updates.value()).toMatchObject({ svids: [], bundles: new Map(), crls: [] });
});

test.each(["spiffeId", "x509Svid", "x509SvidKey", "bundle"] as const)(
  "Workload API 4.5: a message without %s in one of its SVIDs is discarded whole and reported",
  async (field) => {
    const server = await start({ workloads: [{ path: "/a" }, { path: "/b" }] });
    server.send(({ svids }) => {
      if (field === "spiffeId") svids[1]!.spiffeId = "";
      else svids[1]![field] = new Uint8Array();
    });
    const updates = watch(clientOf(server));
    const { reason, error } = await updates.failure();
    expect({ reason, code: error.code }).toEqual({ reason: "discarded", code: "ERR_SPIFFE_WORKLOAD_API" });
    server.rotate();
    expect((await updates.value()).svids).toHaveLength(2);
  },
);

test("Workload API 4.5: octets that are no message are discarded and reported", async () => {
  const server = await start();
  server.sendOctets(Buffer.from("no protobuf"));
  const updates = watch(clientOf(server));
  const { reason, error } = await updates.failure();
  expect({ reason, code: error.code }).toEqual({ reason: "discarded", code: "ERR_SPIFFE_WORKLOAD_API" });
  server.rotate();
  await updates.value();
});

test("a message beyond the limit is discarded and reported, one below it taken", async () => {
  const server = await start();
  server.send(({ svids }) => {
    svids[0]!.hint = "x".repeat(1_000_000);
  });
  await clientOf(server, { maxMessageBytes: 1_100_000 }).fetchX509Context();
  const updates = watch(clientOf(server, { maxMessageBytes: 1_000_000 }));
  const { reason, error } = await updates.failure();
  expect({ reason, code: error.code }).toEqual({ reason: "discarded", code: "ERR_SPIFFE_WORKLOAD_API" });
  expect(error.message).toMatch(/larger than max/);
  server.rotate();
  await updates.value();
});

test.each<[string, (message: X509SVIDResponse) => void, string]>([
  [
    "an SVID for another ID",
    ({ svids }) => {
      svids[0]!.spiffeId = "spiffe://example.org/other";
    },
    "ERR_SPIFFE_X509_SVID",
  ],
  [
    "a key that is not the certificate's",
    ({ svids }) => {
      svids[0]!.x509SvidKey = authority.issueX509Svid().key;
    },
    "ERR_SPIFFE_X509_SVID",
  ],
  [
    "a bundle with garbage at its end",
    ({ svids }) => {
      svids[0]!.bundle = Buffer.concat([svids[0]!.bundle, Buffer.from("x")]);
    },
    "ERR_SPIFFE_BUNDLE",
  ],
  [
    "a revocation list that cannot be read",
    (message) => {
      message.crl = [Buffer.from("nonsense")];
    },
    "ERR_SPIFFE_WORKLOAD_API",
  ],
])("Workload API 5.2.1: %s discards the message", async (_, change, code) => {
  const server = await start();
  server.send(change);
  expect((await errorOf(clientOf(server).fetchX509Context())).code).toBe(code);
  expect(await watch(clientOf(server)).failure()).toMatchObject({ reason: "discarded", error: { code } });
});

test("Workload API 4.6: a federated bundle that cannot be read trusts nobody and stops nothing else", async () => {
  const server = await start({ federated: [other] });
  server.send((message) => {
    message.federatedBundles["spiffe://other.org"] = Buffer.from("nonsense");
    message.federatedBundles["https://third.org"] = Buffer.from(other.x509Bundle());
  });
  const { svids, bundles, warnings } = await clientOf(server).fetchX509Context();
  expect(svids).toHaveLength(1);
  expect([...bundles.keys()]).toEqual(["example.org", "other.org"]);
  expect(bundles.get("other.org")!.certificates).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining("other.org"), expect.stringContaining("third.org")]);
});

test("Workload API 4.6: bundles are kept apart by trust domain", async () => {
  const server = await start({ federated: [other] });
  const { bundles } = await clientOf(server).fetchX509Bundles();
  expect(bundles.get("example.org")!.certificates).toEqual(authority.x509Authorities);
  expect(bundles.get("other.org")!.certificates).toEqual(other.x509Authorities);
});

test("Workload API 5.2.1: of SVIDs with the same hint the first is taken", async () => {
  const workloads = [{ path: "/a", hint: "x" }, { path: "/b", hint: "x" }, { path: "/c" }, { path: "/d" }];
  const server = await start({ workloads });
  const context = await clientOf(server).fetchX509Context();
  expect(ids(context)).toEqual(["a", "c", "d"].map((name) => `spiffe://example.org/${name}`));
  expect(context.warnings).toEqual([expect.stringContaining('"spiffe://example.org/b"')]);
});

test("Workload API 5.2.1: more SVIDs or bundles than the limits are discarded", async () => {
  const server = await start({ workloads: [{ path: "/a" }, { path: "/b" }], federated: [other] });
  const many = await errorOf(clientOf(server, { maxSvids: 1 }).fetchX509Context());
  expect(many.message).toMatch(/2 SVIDs, and at most 1/);
  expect((await errorOf(clientOf(server, { maxBundles: 1 }).fetchX509Bundles())).message).toMatch(
    /2 bundles/,
  );
  expect((await errorOf(clientOf(server, { maxBundles: 1 }).fetchJwtBundles())).message).toMatch(/2 bundles/);
  expect((await errorOf(clientOf(server, { maxSvids: 1 }).fetchJwtSvids({ audience: "a" }))).code).toBe(
    "ERR_SPIFFE_JWT_SVID",
  );
});

test("Workload API 5.3: the first SVID is the default identity, and the order is kept", async () => {
  const server = await start({ workloads: [{ path: "/z" }, { path: "/a" }] });
  expect(ids(await clientOf(server).fetchX509Context())[0]).toBe("spiffe://example.org/z");
});

test("Workload API 6.2.1: JWT-SVIDs are for the audience asked for, of all identities or of one", async () => {
  const server = await start({
    workloads: [{ path: "/a", hint: "x" }, { path: "/b", hint: "x" }, { path: "/c" }],
  });
  const client = clientOf(server);
  const svids = await client.fetchJwtSvids({ audience: ["db", "api"] });
  expect(svids.map(({ id, hint }) => [`${id}`, hint])).toEqual([
    ["spiffe://example.org/a", "x"],
    ["spiffe://example.org/c", ""],
  ]);
  expect(svids[0]!.audience).toEqual(["db", "api"]);
  const [one] = await client.fetchJwtSvids({ audience: "db", id: "spiffe://example.org/b" });
  expect(`${one!.id}`).toBe("spiffe://example.org/b");
  const denied = await errorOf(client.fetchJwtSvids({ audience: "db", id: "spiffe://example.org/none" }));
  expect(denied.code).toBe("ERR_SPIFFE_PERMISSION_DENIED");
  expect((await errorOf(client.fetchJwtSvids({ audience: [] }))).code).toBe("ERR_SPIFFE_OPTIONS");
});

test("Workload API 6.2.2: JWT bundles come by trust domain, each the whole", async () => {
  const server = await start({ federated: [other] });
  const bundles = await clientOf(server).fetchJwtBundles();
  expect([...bundles].map(([name, { keys }]) => [name, keys.size])).toEqual([
    ["example.org", 1],
    ["other.org", 1],
  ]);
});

test("Workload API 6.2.3: a token is validated by the Workload API; a bad one is not in the error", async () => {
  const server = await start();
  const client = clientOf(server);
  const token = await authority.issueJwtSvid({ audience: "db", claims: { role: "reader" } });
  const { id, claims } = await client.validateJwtSvid({ token, audience: "db" });
  expect(`${id}`).toBe("spiffe://example.org/workload");
  expect(claims).toMatchObject({ sub: "spiffe://example.org/workload", role: "reader" });
  const error = await errorOf(client.validateJwtSvid({ token, audience: "other" }));
  expect(error.code).toBe("ERR_SPIFFE_JWT_SVID");
  expect(JSON.stringify(error) + error.message + error.stack).not.toContain(token);
  server.fail(status.UNIMPLEMENTED);
  expect((await errorOf(client.validateJwtSvid({ token, audience: "db" }))).code).toBe(
    "ERR_SPIFFE_WORKLOAD_API",
  );
});

test("the Workload API is not asked through a proxy", async () => {
  const server = await start({ tcp: true });
  const names = ["http_proxy", "https_proxy", "grpc_proxy"];
  const before = names.map((name) => [name, process.env[name]] as const);
  onTestFinished(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) process.env[name] = "http://127.0.0.1:1";
  expect((await clientOf(server).fetchX509Context()).svids).toHaveLength(1);
});

test("options that cannot work are refused", () => {
  expect(() => createWorkloadApiClient({})).toThrow(expect.objectContaining({ code: "ERR_SPIFFE_ADDRESS" }));
  for (const wrong of [{ maxSvids: 0 }, { maxMessageBytes: -1 }, { answerTimeoutMs: Number.NaN }]) {
    expect(() => createWorkloadApiClient({ address: "unix:///a", ...wrong })).toThrow(
      expect.objectContaining({ code: "ERR_SPIFFE_OPTIONS" }),
    );
  }
});
