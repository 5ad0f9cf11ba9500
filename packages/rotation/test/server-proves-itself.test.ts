import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { EKU } from "@newleaf/x509";
import { expect, test } from "vitest";
import { RotationError } from "../src/error.ts";
import { verifyServed } from "../src/served.ts";
import { createServerConsumer, rotateServer } from "../src/server-consumer.ts";
import { serverOptions } from "../src/server-options.ts";
import {
  createAuthority,
  createIdentity,
  failure,
  get,
  issue,
  startServer,
  within,
} from "./server-fixture.ts";

const never = new AbortController().signal;

test("a rotation is served when the server's own address shows the new leaf", async () => {
  const identity = createIdentity();
  let connections = 0;
  await using server = await startServer(identity.source);
  server.server.on("secureConnection", () => {
    connections += 1;
  });
  const generation = identity.rotate();
  const record = await within(5_000, "not served", server.rotation.whenServed(generation.number));
  expect(record.consumers[0]?.served).toMatchObject([
    { target: `tls://127.0.0.1:${server.port}`, verdict: "equal", trusted: { ok: true } },
  ]);
  // The check is nobody's client.
  expect(connections).toBe(0);
  expect(server.rejections).toEqual([]);
  expect(server.rotation.stats()).toMatchObject({ connections: 0, handshakes: { full: 0, resumed: 0 } });
});

test("a certificate for clients only is not served: the one before stays, and the record says so", async () => {
  const identity = createIdentity();
  const before = identity.source.current();
  await using server = await startServer(identity.source);
  await within(5_000, "not served", server.rotation.whenServed(before.number));
  const records = server.rotation.records();
  const names = { subject: "CN=backend", dnsNames: ["localhost"], ips: ["127.0.0.1", "::1"] };
  const generation = identity.rotate({
    leaf: issue(identity.authority, { ...names, extendedKeyUsage: [EKU.clientAuth] }),
  });
  const { value } = await within(5_000, "no record", records.next());
  expect(value).toMatchObject({
    generation: generation.number,
    outcome: "stalled",
    reason: { code: "load_failed", message: expect.stringContaining("not for servers") },
    stillServed: { sha256: before.leaf.sha256 },
  });
  const target = `tls://127.0.0.1:${server.port}`;
  expect(await verifyServed(target, before, { client: before })).toMatchObject({ verdict: "equal" });
  const healed = identity.rotate();
  await within(5_000, "not healed", server.rotation.whenServed(healed.number));
});

test("it waits for a server that does not listen yet", async () => {
  const identity = createIdentity();
  const server = https.createServer(serverOptions(identity.source));
  await using consumer = createServerConsumer(server, identity.source, { authorize: () => true });
  const proving = consumer.prove(identity.source.current(), never);
  await once(server.listen(0), "listening");
  expect(await proving).toMatchObject([{ verdict: "equal" }]);
  server.close();
});

test.each(["127.0.0.1", "0.0.0.0", "::", "::1"])("it finds its way to %s", async (host) => {
  const identity = createIdentity();
  const server = tls.createServer(serverOptions(identity.source));
  await using consumer = createServerConsumer(server, identity.source, { authorize: () => true });
  await once(server.listen(0, host), "listening");
  expect(await consumer.prove(identity.source.current(), never)).toMatchObject([{ verdict: "equal" }]);
  server.close();
});

test("it finds its way to a unix socket, where peers have no address", async () => {
  const identity = createIdentity();
  const directory = await mkdtemp(join(tmpdir(), "newleaf-"));
  const path = join(directory, "socket");
  const server = https.createServer(serverOptions(identity.source), (_, response) => response.end("ok"));
  const addresses: string[] = [];
  await using consumer = createServerConsumer(server, identity.source, {
    authorize: ({ address }) => addresses.push(address) > 0,
  });
  await once(server.listen(path), "listening");
  expect(await consumer.prove(identity.source.current(), never)).toMatchObject([
    { target: `unix:${path}`, verdict: "equal" },
  ]);
  expect((await get(0, { socketPath: path, ...issue(identity.authority) })).body).toBe("ok");
  expect(addresses).toEqual(["unix"]);
  server.close();
  await rm(directory, { recursive: true });
});

test("a generation that is not loaded is not served", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source);
  const other = createIdentity({ authority: identity.authority });
  const consumer = await proofOf(server.server, identity.source);
  expect(consumer).toBe("ERR_ROTATION_OPTIONS");
  const reports = await proveAnother(identity, other);
  expect(reports).toMatchObject([{ verdict: expect.stringMatching(/older|newer/) }]);
});

async function proofOf(server: tls.Server, source: Parameters<typeof rotateServer>[1]): Promise<string> {
  try {
    rotateServer(server, source, { authorize: () => true });
    return "attached";
  } catch (error) {
    return error instanceof RotationError ? error.code : String(error);
  }
}

async function proveAnother(
  identity: ReturnType<typeof createIdentity>,
  other: ReturnType<typeof createIdentity>,
) {
  const server = tls.createServer(serverOptions(identity.source));
  await using consumer = createServerConsumer(server, identity.source, { authorize: () => true });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const reports = await consumer.prove(other.source.current(), never);
  server.close();
  return reports;
}

test("serverOptions alone make a server that lets nobody in without a certificate of the bundle, or by a ticket", async () => {
  const identity = createIdentity();
  const server = https.createServer(serverOptions(identity.source), (request, response) =>
    response.end(String((request.socket as tls.TLSSocket).isSessionReused())),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const client = issue(identity.authority);
  const agent = new https.Agent({ maxCachedSessions: 10 });
  expect((await get(port, { ...client, agent })).body).toBe("false");
  expect((await get(port, { ...client, agent })).body).toBe("false");
  expect(await failure(port)).toBe("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
  expect(await failure(port, issue(createAuthority("stranger")))).not.toBe("none");
  expect(await failure(port, { ...client, maxVersion: "TLSv1.2" })).toBe("EPROTO");
  server.close();
});

test("what is not a TLS server, or has a rotation already, is refused", () => {
  const identity = createIdentity();
  const server = https.createServer(serverOptions(identity.source));
  const attach = () => createServerConsumer(server, identity.source, { authorize: () => true });
  attach();
  expect(attach).toThrow(RotationError);
});
