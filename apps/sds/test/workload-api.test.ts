import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { silentLogger } from "@newleaf/daemon";
import { type Secret, SPIFFECertValidatorConfigSchema } from "@newleaf/proto";
import { systemClock } from "@newleaf/rotation";
import { createSpiffeAuthority, startWorkloadApi } from "@newleaf/testing";
import { parseCertificates, parseCrls } from "@newleaf/x509";
import { expect, onTestFinished, test } from "vitest";
import { createServedIdentity } from "../src/served-identity.ts";
import { spiffePlan } from "../src/spiffe-plan.ts";
import { inlineText, secretsOf } from "./sds-client.ts";
import { startSds } from "./start-sds.ts";

const shop = createSpiffeAuthority({ trustDomain: "shop.example" });
const bank = createSpiffeAuthority({ trustDomain: "bank.example" });

async function begin(options: Partial<Parameters<typeof startWorkloadApi>[0]> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "newleaf-sds-wl-"));
  const api = await startWorkloadApi({ authority: shop, path: join(folder, "api.sock"), ...options });
  let adopt: (names: readonly string[]) => void = () => {};
  const sds = await startSds({ onOrphans: (names) => adopt(names) });
  const { store, subscribers, distrust } = sds.server;
  const parts = { store, distrust, sans: new Map(), logger: silentLogger, clock: systemClock };
  const identity = createServedIdentity(spiffePlan({ address: api.address }, parts), {
    subscribers,
    logger: silentLogger,
    clock: systemClock,
    ackTimeoutMs: 5_000,
    onRecord: () => {},
  });
  adopt = (names) => identity.adopt(names);
  const stop = new AbortController();
  const running = identity.run(stop.signal);
  running.catch(() => {});
  onTestFinished(async () => {
    stop.abort();
    await running.catch(() => {});
    await sds[Symbol.asyncDispose]();
    await api[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  return { api, sds, store, identity };
}

/** The domains of a SPIFFE validator; a plain context is `plain` with the subjects of its anchors. */
function trustOf(secret: Secret | undefined): Record<string, readonly string[]> {
  if (secret?.type.case !== "validationContext") throw new Error("no validation context");
  const { customValidatorConfig, trustedCa, crl } = secret.type.value;
  const subjects = (pem: string) => parseCertificates(pem).map(({ subject }) => subject.commonName ?? "");
  if (!customValidatorConfig?.typedConfig) {
    return {
      plain: subjects(inlineText(trustedCa)),
      ...(crl && { crls: [`${parseCrls(inlineText(crl)).length}`] }),
    };
  }
  const { trustDomains } = fromBinary(
    SPIFFECertValidatorConfigSchema,
    customValidatorConfig.typedConfig.value,
  );
  return Object.fromEntries(
    trustDomains.map(({ name, trustBundle }) => [name, subjects(inlineText(trustBundle))]),
  );
}

function leafOf(secret: Secret | undefined): string {
  if (secret?.type.case !== "tlsCertificate") throw new Error("no certificate");
  const [leaf] = parseCertificates(inlineText(secret.type.value.certificateChain));
  return leaf?.sha256 ?? "";
}

const node = { id: "envoy-1" };
const NAMES = [
  "default",
  "ROOTCA",
  "ALL",
  "spiffe://shop.example",
  "spiffe://bank.example",
  "spiffe://shop.example/second",
];

test("the names of the SPIRE agent, each identity and each trust domain", async () => {
  const { api, sds } = await begin({ workloads: [{ path: "/web" }, { path: "/second" }], federated: [bank] });
  const stream = sds.client.sotw();
  stream.send({ node, resourceNames: [...NAMES, "spiffe://shop.example/web"] } as object);
  await expect.poll(() => sds.server.store.names()).toHaveLength(7);
  const secrets = new Map([...secretsOf(await stream.next())]);
  while (secrets.size < 7)
    for (const [name, secret] of secretsOf(await stream.next())) secrets.set(name, secret);
  const [web, second] = api.svids;
  expect(leafOf(secrets.get("default"))).toBe(web?.identity.certificate.sha256);
  expect(leafOf(secrets.get("spiffe://shop.example/web"))).toBe(web?.identity.certificate.sha256);
  expect(leafOf(secrets.get("spiffe://shop.example/second"))).toBe(second?.identity.certificate.sha256);
  const [own, foreign] = [["shop.example root"], ["bank.example root"]];
  expect(trustOf(secrets.get("ROOTCA"))).toEqual({ "shop.example": own });
  expect(trustOf(secrets.get("ALL"))).toEqual({ "shop.example": own, "bank.example": foreign });
  expect(trustOf(secrets.get("spiffe://shop.example"))).toEqual({ "shop.example": own });
  expect(trustOf(secrets.get("spiffe://bank.example"))).toEqual({ "bank.example": foreign });
});

test("a rotation sends certificates alone; one of a second identity too, though the default has not changed", async () => {
  const { api, sds, store } = await begin({ workloads: [{ path: "/web" }, { path: "/second" }] });
  await expect.poll(() => store.names()).toContain("default");
  const before = store.encodings;
  const stream = sds.client.delta();
  stream.send({ node, resourceNamesSubscribe: NAMES } as object);
  stream.send({ responseNonce: (await stream.next()).nonce });
  api.rotate();
  const sent = new Set<string>();
  while (sent.size < 2) for (const name of secretsOf(await stream.next()).keys()) sent.add(name);
  expect([...sent].sort()).toEqual(["default", "spiffe://shop.example/second"]);
  expect(store.encodings).toBe(before + 3);
  const { svids } = api;
  const another = shop.issueX509Svid({ path: "/second" });
  api.send((message) => {
    const second = message.svids[1]!;
    second.x509Svid = another.certificates;
    second.x509SvidKey = another.key;
  });
  const last = secretsOf(await stream.next());
  expect([...last.keys()]).toEqual(["spiffe://shop.example/second"]);
  expect(leafOf(last.get("spiffe://shop.example/second"))).toBe(another.identity.certificate.sha256);
  expect(svids).toHaveLength(2);
});

test("a federation that ends is revoked with authorities that have signed nobody, not by silence", async () => {
  const { api, sds, store } = await begin({ federated: [bank] });
  await expect.poll(() => store.names()).toContain("spiffe://bank.example");
  const stream = sds.client.delta();
  stream.send({ node, resourceNamesSubscribe: ["ALL", "spiffe://bank.example"] } as object);
  await stream.next();
  api.unfederate("bank.example");
  const secrets = new Map([...secretsOf(await stream.next())]);
  while (secrets.size < 2)
    for (const [name, secret] of secretsOf(await stream.next())) secrets.set(name, secret);
  expect(trustOf(secrets.get("ALL"))).toEqual({ "shop.example": ["shop.example root"] });
  expect(trustOf(secrets.get("spiffe://bank.example"))).toEqual({ plain: ["nobody is trusted"] });
  api.federate(bank);
  const again = new Map([...secretsOf(await stream.next())]);
  while (again.size < 2) for (const [name, secret] of secretsOf(await stream.next())) again.set(name, secret);
  expect(trustOf(again.get("spiffe://bank.example"))).toEqual({ "bank.example": ["bank.example root"] });
});

test("an identity that is taken away is replaced by one that nobody trusts, and trusts nobody", async () => {
  const { api, sds, store, identity } = await begin();
  await expect.poll(() => store.names()).toContain("default");
  const stream = sds.client.delta();
  stream.send({ node, resourceNamesSubscribe: ["default", "ROOTCA"] } as object);
  await stream.next();
  api.redact();
  const secrets = new Map([...secretsOf(await stream.next())]);
  while (secrets.size < 2)
    for (const [name, secret] of secretsOf(await stream.next())) secrets.set(name, secret);
  expect(leafOf(secrets.get("default"))).not.toBe(api.svids[0]?.identity.certificate.sha256);
  expect(trustOf(secrets.get("ROOTCA"))).toEqual({ plain: ["nobody is trusted"] });
  expect(identity.check(new Date())).toMatchObject({ ok: false, reason: /withdrawn/ });
  api.rotate();
  const back = new Map([...secretsOf(await stream.next())]);
  while (back.size < 2) for (const [name, secret] of secretsOf(await stream.next())) back.set(name, secret);
  expect(leafOf(back.get("default"))).toBe(api.svids[0]?.identity.certificate.sha256);
  expect(identity.check(new Date())).toMatchObject({ ok: true });
});

test("with revocation lists, the contexts of one domain carry them in plain form", async () => {
  const { api, store, sds } = await begin();
  await expect.poll(() => store.names()).toContain("ROOTCA");
  const stream = sds.client.delta();
  stream.send({ node, resourceNamesSubscribe: ["ROOTCA", "ALL"] } as object);
  await stream.next();
  api.setCrls(parseCrls(shop.x509.crlPem()).map(({ der }) => der));
  const secrets = secretsOf(await stream.next());
  expect([...secrets.keys()]).toEqual(["ROOTCA"]);
  expect(trustOf(secrets.get("ROOTCA"))).toEqual({ plain: ["shop.example root"], crls: ["1"] });
});

test("what a client has from before a restart, and is no more, is revoked for it", async () => {
  const { sds } = await begin({ started: true });
  const delta = sds.client.delta();
  const gone = ["spiffe://gone.example", "spiffe://shop.example/gone"];
  const initialResourceVersions = Object.fromEntries(gone.map((name) => [name, "of-before"]));
  delta.send({
    node,
    resourceNamesSubscribe: [...gone, "spiffe://never.example"],
    initialResourceVersions,
  } as object);
  const secrets = secretsOf(await delta.next());
  expect([...secrets.keys()].sort()).toEqual(gone);
  expect(trustOf(secrets.get("spiffe://gone.example"))).toEqual({ plain: ["nobody is trusted"] });
  const sotw = sds.client.sotw();
  sotw.send({ node, resourceNames: ["spiffe://other.example"], versionInfo: "of-before" } as object);
  expect(trustOf(secretsOf(await sotw.next()).get("spiffe://other.example"))).toEqual({
    plain: ["nobody is trusted"],
  });
});

test("while the Workload API is silent nothing is revoked", async () => {
  const { api, sds, store } = await begin();
  await expect.poll(() => store.names()).toContain("default");
  const { encodings } = store;
  await api.stop();
  const delta = sds.client.delta();
  delta.send({ node, resourceNamesSubscribe: ["default"] } as object);
  expect(leafOf(secretsOf(await delta.next()).get("default"))).toBe(
    api.svids[0]?.identity.certificate.sha256,
  );
  await api.start();
  expect(store.encodings).toBe(encodings);
});
