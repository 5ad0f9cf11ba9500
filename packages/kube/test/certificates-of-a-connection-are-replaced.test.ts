import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import {
  createManualClock,
  createTestAuthority,
  type ManualClock,
  type TestIdentity,
} from "@newleaf/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKubeTransport, type KubeTransport, type TlsMaterial } from "../src/index.ts";
import { configOf, get, type LoopbackServer, startLoopbackServer, text } from "./loopback-server.ts";

const authority = createTestAuthority({ name: "one" });
const other = createTestAuthority({ name: "two" });
const CHECKED_AFTER_MS = 5_000;

let folder = "";
let clock: ManualClock;
let server: LoopbackServer;
let transport: KubeTransport;
let held: ServerResponse[] = [];
let log: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kube-tls-"));
  clock = createManualClock();
  held = [];
  log = [];
  server = await startLoopbackServer(
    (request, response) => {
      response.setHeader("client", (request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? "none");
      response.flushHeaders();
      if (request.url?.startsWith("/held")) held.push(response);
      else response.end("ok");
    },
    { identity: authority.issue(), clientCa: authority.trustPem + other.trustPem },
  );
});
afterEach(async () => {
  await transport[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const path = (name: string): string => join(folder, name);
const logger = {
  debug: () => {},
  info: (_: object, message: string) => void log.push(message),
  warn: (fields: object, message: string) =>
    void log.push(`${message}: ${String((fields as { err?: unknown }).err)}`),
  error: () => {},
};

async function writeClient(identity: TestIdentity, ca = authority.trustPem): Promise<void> {
  await writeFile(path("ca.crt"), ca);
  await writeFile(path("tls.crt"), identity.chainPem);
  await writeFile(path("tls.key"), identity.keyPem);
}

function connect(): void {
  const tls = {
    ca: { file: path("ca.crt") },
    cert: { file: path("tls.crt") },
    key: { file: path("tls.key") },
  };
  transport = createKubeTransport(configOf(server.url, { tls }), { clock, logger });
}

/** The name of the client that the server saw. */
async function ask(target = "/"): Promise<string | undefined> {
  const { headers, body } = await transport.send(get(target));
  await text(body);
  return headers.client;
}

describe("TestCheckCAFileAndRotate", () => {
  const client = authority.issue({ commonName: "a" });
  beforeEach(async () => {
    await writeClient(client);
    connect();
    await ask();
  });

  it.each([
    ["no change", authority.trustPem, 1, 0],
    ["CA changed", authority.trustPem + other.trustPem, 2, 0],
    ["CA changed to invalid", "invalid", 1, 1],
    ["CA cut off", authority.trustPem + other.trustPem.slice(0, 300), 1, 1],
    ["empty file content", "", 1, 1],
  ])("%s", async (_, ca, connections, complaints) => {
    await writeFile(path("ca.crt"), ca);
    await clock.advance(CHECKED_AFTER_MS);
    expect(await ask()).toBe("a");
    expect(server.sockets).toHaveLength(connections);
    const kept = log.filter((line) => line.includes("keeping the previous one"));
    expect(kept).toHaveLength(complaints);
    await ask();
    expect(log.filter((line) => line.includes("keeping"))).toEqual(kept);
  });

  it("file error", async () => {
    await rm(path("ca.crt"));
    await clock.advance(CHECKED_AFTER_MS);
    await ask();
    expect(server.sockets).toHaveLength(1);
    expect(log).toEqual([expect.stringContaining("keeping the previous one")]);
  });

  it("is not looked at before its time", async () => {
    await writeFile(path("ca.crt"), other.trustPem);
    await clock.advance(CHECKED_AFTER_MS - 1);
    await ask();
    expect(server.sockets).toHaveLength(1);
  });
});

it("initially empty CA file updated to valid CA", async () => {
  await writeClient(authority.issue({ commonName: "a" }), "");
  connect();
  await expect(ask()).rejects.toMatchObject({
    code: "ERR_KUBE_CONFIG",
    message: expect.stringContaining("the test: "),
  });
  await writeFile(path("ca.crt"), authority.trustPem);
  await clock.advance(CHECKED_AFTER_MS);
  expect(await ask()).toBe("a");
});

it("TestCARotationConnectionBehavior: what is under way goes on, idle connections end, new ones use the new CA", async () => {
  await writeClient(authority.issue({ commonName: "a" }));
  connect();
  const { body } = await transport.send(get("/held"));
  await ask();
  expect(server.sockets).toHaveLength(2);
  const idleEnded = new Promise((resolve) => server.sockets[1]?.once("close", resolve));

  // The server's certificate is of the other authority from now on, which only the new file trusts.
  server.use(other.issue(), authority.trustPem + other.trustPem);
  await writeFile(path("ca.crt"), other.trustPem);
  await clock.advance(CHECKED_AFTER_MS);
  expect(await ask()).toBe("a");
  await idleEnded;
  expect(server.sockets).toHaveLength(3);

  held[0]?.end("done");
  expect(await text(body)).toBe("done");
  await new Promise((resolve) =>
    server.sockets[0]?.destroyed ? resolve(undefined) : server.sockets[0]?.once("close", resolve),
  );
});

describe("a client certificate that is replaced", () => {
  beforeEach(async () => {
    await writeClient(authority.issue({ commonName: "a" }));
    connect();
  });

  it("is used for new connections, and watches come back on them", async () => {
    const { body } = await transport.send(get("/held?watch=true"));
    const watching = text(body).catch((error: unknown) => error);
    const request = await transport.send(get("/held"));
    await writeClient(other.issue({ commonName: "b" }));
    await clock.advance(CHECKED_AFTER_MS);
    expect(await ask()).toBe("b");
    expect(await watching).toMatchObject({
      code: "ERR_KUBE_UNREACHABLE",
      message: expect.stringContaining("certificates were replaced"),
    });
    held[1]?.end("done");
    expect(await text(request.body)).toBe("done");
  });

  it.each(["certificate", "key"])(
    "half, the %s first, is not used until the other half is there",
    async (first) => {
      await ask();
      const next = authority.issue({ commonName: "b" });
      if (first === "certificate") await writeFile(path("tls.crt"), next.chainPem);
      else await writeFile(path("tls.key"), next.keyPem);
      await clock.advance(CHECKED_AFTER_MS);
      expect(await ask()).toBe("a");
      await clock.advance(CHECKED_AFTER_MS);
      expect(await ask()).toBe("a");
      expect(log).toEqual([expect.stringMatching(/keeping the previous one: .*key values mismatch/)]);
      await writeClient(next);
      await clock.advance(CHECKED_AFTER_MS);
      expect(await ask()).toBe("b");
      expect(log.join()).not.toMatch(/BEGIN/);
    },
  );

  it("is looked for at once upon a 401", async () => {
    const refused = await transport.send(get("/"));
    expect(await transport.refresh?.(refused)).toBe(false);
    await writeClient(authority.issue({ commonName: "b" }));
    expect(await transport.refresh?.(refused)).toBe(true);
    expect(await ask()).toBe("b");
  });

  it("is looked for at once when TLS fails, and the request is sent again", async () => {
    server.use(other.issue(), authority.trustPem);
    await expect(ask()).rejects.toMatchObject({ code: "ERR_KUBE_TLS" });
    await writeFile(path("ca.crt"), other.trustPem);
    expect(await ask()).toBe("a");
  });
});

it("material may come from elsewhere, such as a rotating identity", async () => {
  const material = (identity: TestIdentity, digest: string): TlsMaterial => ({
    ca: authority.trustPem,
    cert: identity.chainPem,
    key: identity.keyPem,
    digest,
  });
  let current = material(authority.issue({ commonName: "a" }), "1");
  transport = createKubeTransport(configOf(server.url), { clock, logger, tls: { current: () => current } });
  expect(await ask()).toBe("a");
  current = material(authority.issue({ commonName: "b" }), "2");
  expect(await ask()).toBe("b");
  current = { ...current, cert: authority.issue().chainPem, digest: "3" };
  expect(await ask()).toBe("b");
  expect(server.sockets).toHaveLength(2);
});

it("a hundred replacements leave no connections behind", async () => {
  await writeClient(authority.issue({ commonName: "a" }));
  const identities = [authority.issue({ commonName: "a" }), authority.issue({ commonName: "b" })];
  let n = 0;
  const current = (): TlsMaterial => {
    const { chainPem, keyPem } = identities[n % 2] as TestIdentity;
    return { ca: authority.trustPem, cert: chainPem, key: keyPem, digest: `${n}` };
  };
  transport = createKubeTransport(configOf(server.url), { clock, tls: { current } });
  for (n = 0; n < 100; n++) expect(await ask()).toBe(n % 2 === 0 ? "a" : "b");
  const earlier = server.sockets.slice(0, -1).filter(({ destroyed }) => !destroyed);
  await Promise.all(earlier.map((socket) => once(socket, "close")));
});
