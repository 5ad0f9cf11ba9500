import {
  createKubeClient,
  type KubeClient,
  type ResourceClient,
  resources,
  type Secret,
} from "@newleaf/kube";
import {
  createKubernetesApi,
  createManualClock,
  createTestAuthority,
  type KubernetesApi,
  type ManualClock,
} from "@newleaf/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { watchSecret } from "./watch-secret.ts";

let clock: ManualClock;
let api: KubernetesApi;
let client: KubeClient;
let secrets: ResourceClient<Secret>;
const authority = createTestAuthority({ now: () => Date.UTC(2030, 0, 1) });

beforeEach(async () => {
  clock = createManualClock();
  api = createKubernetesApi({ clock });
  client = createKubeClient({ transport: api.transport({ user: "admin" }), clock, rateLimit: false });
  await client.resource(resources.namespaces).create({ metadata: { name: "shop" } });
  secrets = client.resource(resources.secrets, { namespace: "shop" });
});
afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
});

function secretOf(data: Record<string, string>): Secret {
  const encoded = Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString("base64")]);
  return { metadata: { name: "tls" }, data: Object.fromEntries(encoded) };
}

const issued = (): Secret => {
  const { chainPem, keyPem } = authority.issue({ dnsNames: ["a"] });
  return secretOf({ "tls.crt": String(chainPem), "tls.key": String(keyPem), "ca.crt": authority.trustPem });
};

test("a Secret is followed: what is good is taken, what is not is refused, and its end changes nothing", async () => {
  await secrets.create(issued());
  await using source = await watchSecret({ secrets, name: "tls", clock });
  expect(source.current().number).toBe(1);
  await secrets.update(issued());
  await clock.advance(0);
  expect(source.current().number).toBe(2);
  await secrets.update({ ...issued(), data: { ...issued().data, "tls.key": "eA==" } });
  await clock.advance(0);
  expect(source.status()).toMatchObject({ stale: true, refusals: { bad_key: 1 } });
  await secrets.delete("tls");
  await clock.advance(0);
  expect(source.status().lastRefusal).toMatchObject({ code: "missing" });
  expect(source.current().number).toBe(2);
  await secrets.create(issued());
  await source.reload();
  expect(source.current().number).toBe(3);
});

test("a Secret that is not there is waited for, and named when it does not come", async () => {
  const waiting = watchSecret({ secrets, name: "tls", clock, firstTimeoutMs: 5_000 });
  const failed = expect(waiting).rejects.toThrow(/Secret tls is missing/);
  await clock.advance(0);
  await clock.advance(5_000);
  await failed;
  expect(clock.pending).toBe(0);
});
