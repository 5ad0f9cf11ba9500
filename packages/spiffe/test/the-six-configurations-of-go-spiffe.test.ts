// As docs/spiffe.md has them, each over real TLS, with its refusals and a rotation.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import {
  createRotatingAgent,
  type IdentitySource,
  peerOf,
  type Rejection,
  rotateServer,
  type ServerConsumerOptions,
  type ServerTrustOptions,
  serverOptions,
  watchFiles,
  withPeerTrust,
} from "@newleaf/rotation";
import {
  createSpiffeAuthority,
  createTestAuthority,
  startWorkloadApi,
  writePlainFiles,
} from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";
import { expect, onTestFinished, test } from "vitest";
import { spiffe } from "../src/authorizers.ts";
import { watchBundles } from "../src/bundle-source.ts";
import { caughtUp, startWorkload, until } from "./workloads.ts";

const domain = createSpiffeAuthority({ trustDomain: "example.org" });
const foreign = createSpiffeAuthority({ trustDomain: "foreign.example", intermediate: true });
const web = createTestAuthority({ intermediate: true });
const webTrust = createTrustBundle(web.certificates);
const backendId = "spiffe://example.org/backend";
const frontendId = "spiffe://example.org/frontend";

test("TLSServerConfig and TLSClientConfig: the server has an SVID, and its client shows nothing", async () => {
  const backend = await startWorkload(domain, "/backend");
  const server = await serve(backend.source, { clientCertificates: "none" });
  const client = connect((await startWorkload(domain, "/frontend")).source, {
    anonymous: true,
    authorizeServer: spiffe.id(backendId),
  });
  const before = await client(server.url);
  expect(before).toMatchObject({ caller: "nobody", asked: false });
  backend.api.rotate();
  await server.serves((await caughtUp(backend)).number);
  expect((await client(server.url)).serial).not.toBe(before.serial);

  const other = connect((await startWorkload(domain, "/frontend")).source, {
    anonymous: true,
    authorizeServer: spiffe.id("spiffe://example.org/other"),
  });
  await expect(other(server.url)).rejects.toMatchObject({ code: "ERR_ROTATION_SERVER_REFUSED" });
});

test("TLSClientConfig at a server of MTLSServerConfig: it is refused, and told what for", async () => {
  const server = await serve((await startWorkload(domain, "/backend")).source, { authorize: spiffe.any() });
  const client = connect((await startWorkload(domain, "/frontend")).source, {
    anonymous: true,
    authorizeServer: spiffe.any(),
  });
  await expect(client(server.url)).rejects.toMatchObject({ code: "ERR_ROTATION_CLIENT_REFUSED" });
  await until(() => server.rejections.length > 0);
  expect(server.rejections[0]?.code).toBe("no_certificate");
});

test("MTLSServerConfig and MTLSClientConfig: both have SVIDs, and both rotate", async () => {
  const backend = await startWorkload(domain, "/backend", { federated: [foreign] });
  const frontend = await startWorkload(domain, "/frontend");
  const server = await serve(backend.source, { authorize: spiffe.id(frontendId) });
  const client = connect(frontend.source, { authorizeServer: spiffe.id(backendId) });
  const before = await client(server.url);
  expect(before.caller).toBe(frontendId);
  backend.api.rotate();
  frontend.api.rotate();
  await caughtUp(frontend);
  await server.serves((await caughtUp(backend)).number);
  const after = await client(server.url);
  expect(after.serial).not.toBe(before.serial);
  expect(after.shown).not.toBe(before.shown);

  const stranger = await startWorkload(foreign, "/frontend", { federated: [domain] });
  const refused = connect(stranger.source, { authorizeServer: spiffe.any() });
  await expect(refused(server.url)).rejects.toMatchObject({ code: "ERR_ROTATION_CLIENT_REFUSED" });
  expect(server.rejections.at(-1)?.code).toBe("not_allowed");
});

test("MTLSWebClientConfig: the client has an SVID, and the server a certificate of the web", async () => {
  const frontend = await startWorkload(domain, "/frontend");
  const url = await serveWeb(["127.0.0.1"]);
  const client = connect(frontend.source, { serverTrust: webTrust });
  const before = await client(url);
  expect(before.caller).toBe(frontendId);
  frontend.api.rotate();
  await caughtUp(frontend);
  expect((await client(url)).shown).not.toBe(before.shown);

  await expect(client(await serveWeb(["127.0.0.2"]))).rejects.toThrow(/does not match certificate/);
  const backend = await startWorkload(domain, "/backend");
  const svidServer = await serve(backend.source, { authorize: spiffe.any() });
  await expect(client(svidServer.url)).rejects.toThrow(/self.signed certificate|unable to (get|verify)/);
});

test("MTLSWebServerConfig: the server has a certificate of the web, and its clients have SVIDs", async () => {
  const api = await startWorkloadApi({ authority: domain });
  onTestFinished(() => api[Symbol.asyncDispose]());
  const bundles = await watchBundles({ address: api.address, graceMs: 50 });
  onTestFinished(() => bundles[Symbol.asyncDispose]());
  const files = await webFiles();
  const identity = withPeerTrust(files.source, bundles);
  onTestFinished(() => identity[Symbol.asyncDispose]());
  const server = await serve(identity, {
    authorize: spiffe.oneOf(spiffe.memberOf("foreign.example"), frontendId),
  });

  const frontend = connect((await startWorkload(domain, "/frontend")).source, { serverTrust: webTrust });
  const stranger = connect((await startWorkload(foreign, "/a")).source, { serverTrust: webTrust });
  const refused = async (client: Ask, code: Rejection["code"]): Promise<void> => {
    const count = server.rejections.length;
    await expect(client(server.url)).rejects.toThrow();
    await until(() => server.rejections.length > count);
    expect(server.rejections.at(-1)?.code).toBe(code);
  };
  const before = await frontend(server.url);
  expect(before.caller).toBe(frontendId);
  await refused(stranger, "unknown_authority");
  await refused(connect(files.source, {}), "not_svid");
  await refused(
    connect((await startWorkload(domain, "/a")).source, { serverTrust: webTrust }),
    "not_allowed",
  );

  await files.rotate();
  await until(() => files.source.current().number === 2);
  await server.serves(identity.current().number);
  expect((await frontend(server.url)).serial).not.toBe(before.serial);

  api.federate(foreign);
  await until(() => bundles.bundles().size === 2);
  expect((await stranger(server.url)).caller).toBe("spiffe://foreign.example/a");
  api.unfederate("foreign.example");
  await until(() => bundles.bundles().size === 1);
  await refused(stranger, "unknown_authority");

  api.deny();
  await until(() => identity.current().withdrawn !== undefined);
  await refused(frontend, "identity_withdrawn");
  api.recover();
  await until(() => identity.current().withdrawn === undefined);
  expect((await frontend(server.url)).caller).toBe(frontendId);
});

test("MTLSWebServerConfig with the bundles of an SVID's source: the SVID itself is not shown", async () => {
  const backend = await startWorkload(domain, "/backend");
  const identity = withPeerTrust((await webFiles()).source, backend.source);
  onTestFinished(() => identity[Symbol.asyncDispose]());
  const server = await serve(identity, { authorize: spiffe.id(frontendId) });
  const client = connect((await startWorkload(domain, "/frontend")).source, { serverTrust: webTrust });
  expect((await client(server.url)).caller).toBe(frontendId);
  const { number } = identity.current();
  backend.api.rotate();
  await caughtUp(backend);
  expect(identity.current().number).toBe(number);
});

interface Answer {
  readonly caller: string;
  /** The serial number of what the client showed, to servers that asked. */
  readonly shown: string;
  readonly asked: boolean;
  /** The serial number of what the server showed. */
  readonly serial: string;
}

type Ask = (url: string) => Promise<Answer>;

function connect(source: IdentitySource, options: ServerTrustOptions): Ask {
  const agent = createRotatingAgent(source, { ...options, keepAlive: false });
  onTestFinished(() => agent[Symbol.asyncDispose]());
  return (url) =>
    new Promise((resolve, reject) => {
      const request = https.get(url, { agent }, async (response) => {
        const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
        let text = "";
        for await (const chunk of response) text += String(chunk);
        resolve({ ...JSON.parse(text), serial });
      });
      request.on("error", reject);
    });
}

async function serve(source: IdentitySource, options: ServerConsumerOptions) {
  const { clientCertificates = "required" } = options;
  const rejections: Rejection[] = [];
  const server = https.createServer(serverOptions(source, { clientCertificates }), (request, response) => {
    const peer = peerOf(request.socket);
    const caller = peer?.uris.join() ?? "nobody";
    response.end(JSON.stringify({ caller, asked: peer !== undefined, shown: peer?.leaf.serialNumber }));
  });
  const rotation = rotateServer(server, source, {
    ...options,
    onRejection: (rejection) => void rejections.push(rejection),
  });
  const url = await listen(server);
  onTestFinished(() => rotation[Symbol.asyncDispose]());
  const serves = (number: number) => rotation.whenServed(number, AbortSignal.timeout(10_000));
  return { url, rejections, serves };
}

/** Node's own server, as anybody on the web has it who knows the trust domain. */
async function serveWeb(ips: readonly string[]): Promise<string> {
  const { chainPem: cert, keyPem: key } = web.issue({ ips });
  const server = https.createServer(
    { cert, key, ca: [domain.x509.trustPem], requestCert: true },
    (request, response) => {
      const { subjectaltname, serialNumber } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(JSON.stringify({ caller: subjectaltname?.replace("URI:", ""), shown: serialNumber }));
    },
  );
  return listen(server);
}

async function listen(server: https.Server): Promise<string> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A certificate of the web in files, as an ACME client leaves them: its chain, its key, and no root. */
async function webFiles() {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-web-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const rotate = () => writePlainFiles(directory, web.issue().files());
  await rotate();
  await rm(join(directory, "ca.crt"));
  const source = await watchFiles({ directory, files: { trust: webTrust }, settleMs: 20 });
  onTestFinished(() => source[Symbol.asyncDispose]());
  return { source, rotate };
}
