// A program of somebody who installed the packages: test/packages.sh compiles and runs it in an empty project.
// Every entry point is imported and used, from issuing a certificate to requests that follow a rotation.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  allow,
  createRotatingAgent,
  type Generation,
  rotateServer,
  serverOptions,
  watchFiles,
} from "@newleaf/rotation";
import { createRotatingDispatcher } from "@newleaf/rotation/undici";
import {
  type Certificate,
  createRoot,
  createTrustBundle,
  encodeCertificates,
  generateKey,
  issueCertificate,
  validatePath,
} from "@newleaf/x509";
import { readDer, TAG } from "@newleaf/x509/asn1";
import { request } from "undici";

const notAfter = new Date(Date.now() + 3_600_000);
const root = createRoot({ subject: "CN=consumer root", notAfter });
const directory = await mkdtemp(join(tmpdir(), "newleaf-consumer-"));

const first = await deliver();
const path = validatePath(first, createTrustBundle([root.certificate]), {
  now: new Date(),
  purpose: "clientAuth",
});
assert.ok(path.ok);
assert.ok(readDer(first.der, TAG.SEQUENCE, "certificate").children());

const identity = await watchFiles({ directory });
const server = https.createServer(serverOptions(identity), (_request, response) => response.end("hello"));
const rotation = rotateServer(server, identity, { authorize: allow.dns("localhost"), drainJitterMs: 0 });
const agent = createRotatingAgent(identity);
const dispatcher = createRotatingDispatcher(identity);
await once(server.listen(0, "127.0.0.1"), "listening");
const url = `https://localhost:${(server.address() as AddressInfo).port}/`;

assert.equal(await served(), first.sha256);
const second = await deliver();
await rotation.whenServed(second.sha256, AbortSignal.timeout(10_000));
const current: Generation = identity.current();
assert.equal(current.leaf.sha256, second.sha256);
assert.equal(await served(), second.sha256);

await Promise.all([agent[Symbol.asyncDispose](), dispatcher[Symbol.asyncDispose]()]);
await once(server.close(), "close");
await rotation[Symbol.asyncDispose]();
await identity[Symbol.asyncDispose]();
await rm(directory, { recursive: true });

async function deliver(): Promise<Certificate> {
  const { privateKey, publicKey } = generateKey();
  const leaf = issueCertificate(root, publicKey, {
    subject: "CN=localhost",
    dnsNames: ["localhost"],
    notAfter,
  });
  await writeFile(join(directory, "tls.crt"), encodeCertificates([leaf]));
  await writeFile(join(directory, "tls.key"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeFile(join(directory, "ca.crt"), encodeCertificates([root.certificate]));
  return leaf;
}

/** Asks once with each client. The leaf that the agent was shown, as SHA-256 in lower hex. */
async function served(): Promise<string> {
  const { body } = await request(url, { dispatcher });
  assert.equal(await body.text(), "hello");
  return new Promise((resolve, reject) => {
    const get = https.get(url, { agent, family: 4 }, (response) => {
      const { fingerprint256 } = (response.socket as import("node:tls").TLSSocket).getPeerCertificate();
      response.resume().on("end", () => resolve(fingerprint256.replaceAll(":", "").toLowerCase()));
    });
    get.on("error", reject);
  });
}
