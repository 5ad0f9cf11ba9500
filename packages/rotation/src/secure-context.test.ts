import { once } from "node:events";
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import { createTestAuthority } from "@newleaf/testing";
import {
  type Certificate,
  createTrustBundle,
  parseCertificates,
  parseCrls,
  parsePrivateKey,
} from "@newleaf/x509";
import { afterEach, expect, test } from "vitest";
import { createGeneration, type Generation } from "./generation.ts";
import { LONGEST_SESSION_SECONDS, secureContextOptions } from "./secure-context.ts";

const authority = createTestAuthority({ intermediate: true });
const servers: tls.Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

function createNumbered(
  number: number,
  options: { ttlMs?: number; crls?: string; anchors?: readonly Certificate[] } = {},
): Generation {
  const { chainPem, keyPem, trustPem } = authority.issue({ ...(options.ttlMs && { ttlMs: options.ttlMs }) });
  const [leaf, ...chain] = parseCertificates(chainPem);
  if (!leaf) throw new Error("no leaf");
  const trust = createTrustBundle(options.anchors ?? parseCertificates(trustPem));
  const crls = options.crls === undefined ? [] : parseCrls(options.crls);
  const now = new Date();
  const key = parsePrivateKey(keyPem);
  const checked = { leaf, chain, key, trust, crls, peerTrust: undefined };
  return createGeneration(checked, { number, deliveredAt: now, verifiedAt: now });
}

async function listen(generation: Generation): Promise<{ server: tls.Server; port: number }> {
  const server = tls.createServer({ ...secureContextOptions(generation), requestCert: true }, (socket) => {
    socket.on("error", () => {});
    socket.end("hello");
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

async function handshake(
  port: number,
  options: tls.ConnectionOptions,
): Promise<{ reused: boolean; protocol: string | null; session: Buffer | undefined }> {
  const socket = tls.connect({ port, host: "127.0.0.1", ...options });
  let session: Buffer | undefined;
  socket.on("session", (ticket) => {
    session = ticket;
  });
  await once(socket, "secureConnect");
  const reused = socket.isSessionReused();
  const protocol = socket.getProtocol();
  socket.resume();
  await once(socket, "close");
  return { reused, protocol, session };
}

test("one context serves both directions, over TLS 1.3 only", async () => {
  const generation = createNumbered(1);
  expect(generation.secureContext).toBe(generation.secureContext);
  expect(Object.isFrozen(generation)).toBe(true);
  const { port } = await listen(generation);
  const { protocol } = await handshake(port, { secureContext: createNumbered(2).secureContext });
  expect(protocol).toBe("TLSv1.3");
  const old = handshake(port, { ca: authority.trustPem, maxVersion: "TLSv1.2" });
  await expect(old).rejects.toMatchObject({ code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" });
});

test("a session of one generation is not resumed by the next", async () => {
  const first = createNumbered(1);
  const { server, port } = await listen(first);
  const client = createNumbered(9).secureContext;
  const { session } = await handshake(port, { secureContext: client });
  expect(session).toBeDefined();
  const resumed = { secureContext: client, ...(session && { session }) };
  expect((await handshake(port, resumed)).reused).toBe(true);
  server.setSecureContext(secureContextOptions(createNumbered(2)));
  expect((await handshake(port, resumed)).reused).toBe(false);
  // Not even if someone carried the ticket keys over.
  const { session: second } = await handshake(port, { secureContext: client });
  const { ticketKeys } = secureContextOptions(first);
  server.setSecureContext({ ...secureContextOptions(createNumbered(3)), ticketKeys });
  expect((await handshake(port, { secureContext: client, ...(second && { session: second }) })).reused).toBe(
    false,
  );
});

test("a session lives no longer than the identity, and never for hours", () => {
  expect(secureContextOptions(createNumbered(1)).sessionTimeout).toBe(LONGEST_SESSION_SECONDS);
  expect(secureContextOptions(createNumbered(1, { ttlMs: 60_000 })).sessionTimeout).toBeLessThanOrEqual(60);
  expect(secureContextOptions(createNumbered(1, { ttlMs: 100 })).sessionTimeout).toBe(1);
});

test("the session id context fits whatever the number", () => {
  const context = secureContextOptions(createNumbered(Number.MAX_SAFE_INTEGER)).sessionIdContext;
  expect(context?.length).toBeLessThanOrEqual(32);
  expect(createNumbered(Number.MAX_SAFE_INTEGER).secureContext).toBeDefined();
});

test("with revocation lists a client refuses a revoked server", async () => {
  const revoked = createNumbered(1);
  authority.revoke({ certificate: revoked.leaf });
  const { port } = await listen(revoked);
  const trusting = createNumbered(2);
  await handshake(port, { secureContext: trusting.secureContext });
  const checking = createNumbered(3, { crls: authority.crlPem() });
  const refused = handshake(port, { secureContext: checking.secureContext });
  await expect(refused).rejects.toMatchObject({ code: "CERT_REVOKED" });
});

test("an intermediate CA alone is an anchor, with revocation lists or without", async () => {
  const { port } = await listen(createNumbered(1));
  const anchors = authority.intermediate ? [authority.intermediate.certificate] : [];
  for (const crls of [{}, { crls: authority.crlPem() }]) {
    const { secureContext } = createNumbered(2, { anchors, ...crls });
    expect((await handshake(port, { secureContext })).protocol).toBe("TLSv1.3");
  }
});
