import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:tls";
import { createTestAuthority } from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";
import { afterAll, beforeAll, expect, test } from "vitest";
import { proveByHandshake } from "./leader-proofs.ts";

const authority = createTestAuthority();
const identity = authority.issue({ dnsNames: ["webhook.shop.svc"] });
const trust = createTrustBundle([authority.root.certificate]);
const signal = new AbortController().signal;
let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer({ cert: identity.chainPem, key: identity.keyPem }).listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => server.close());

const replica = (address: string | undefined) => ({
  ...{ name: "shop-0", uid: "1", address },
  certHash: undefined,
  caHash: undefined,
});

test("a handshake with the replica shows its certificate", async () => {
  const prove = proveByHandshake({ port, servername: "webhook.shop.svc" });
  expect(await prove(replica("127.0.0.1"), identity.certificate, { trust, signal })).toBeUndefined();
});

test("another certificate, and a replica without an address, are no proof", async () => {
  const prove = proveByHandshake({ port, servername: "webhook.shop.svc" });
  const other = authority.issue({ dnsNames: ["webhook.shop.svc"] });
  expect(await prove(replica("127.0.0.1"), other.certificate, { trust, signal })).toMatch(
    /^it is (older|newer)/,
  );
  expect(await prove(replica(undefined), identity.certificate, { trust, signal })).toMatch(/no address/);
});
