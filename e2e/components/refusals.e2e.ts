// The refusal matrix from the outside: `newleaf proxy server` on certificates made by openssl, attacked with curl and
// openssl. Needs: openssl, curl.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createOpensslAuthority, type OpensslAuthority } from "../openssl-authority.ts";
import { run } from "../process.ts";
import { type RunningProxy, startProxy } from "../proxy.ts";

const box = mkdtempSync(join(tmpdir(), "newleaf-refusals-"));
const at = (path: string): string => join(box, path);
const frontend = "DNS:frontend.shop.svc";
const soon = (ms: number): string => new Date(Date.now() + ms).toISOString().replace(/[-T:]|\.\d+/g, "");
let root: OpensslAuthority;
let intermediate: OpensslAuthority;
let proxy: RunningProxy;

/** Both authorities' CRLs, in one file, replaced by rename. */
function publishCrls(): void {
  root.emptyCrl(at("root.crl"));
  intermediate.emptyCrl(at("intermediate.crl"));
  writeFileSync(
    at("crl.new"),
    readFileSync(at("root.crl"), "utf8") + readFileSync(at("intermediate.crl"), "utf8"),
  );
  renameSync(at("crl.new"), at("server/crl.pem"));
}

beforeAll(async () => {
  root = createOpensslAuthority(at("root"), "shop root");
  intermediate = createOpensslAuthority(at("intermediate"), "shop intermediate", root);
  root.issue(at("server"), { name: "backend", san: "DNS:localhost,IP:127.0.0.1" });
  publishCrls();
  root.issue(at("good"), { name: "frontend", san: frontend });
  proxy = await startProxy(at("server"), ["--allow-dns", "frontend.shop.svc", "--crl", at("server/crl.pem")]);
});

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  rmSync(box, { recursive: true });
});

const curl = (certificate: string | undefined, key: string | undefined, ...extra: string[]) =>
  run("curl", [
    "-sv", "--max-time", "20", "--cacert", root.caFile,
    ...(certificate === undefined || key === undefined ? [] : ["--cert", at(certificate), "--key", at(key)]),
    ...extra, `https://localhost:${proxy.port}/`,
  ]); // biome-ignore format: one command line

/** Waits for the refusal's log line; it names the address, and the certificate where the protocol shows one. */
async function expectRefusal(
  code: string,
  since: number,
  certificate?: string,
): Promise<Readonly<Record<string, unknown>>> {
  const entry = await proxy.refusal(code, since);
  expect(String(entry.address)).toContain("127.0.0.1");
  if (certificate !== undefined) {
    const out = execFileSync("openssl", ["x509", "-in", at(certificate), "-noout", "-serial"], {
      encoding: "utf8",
    });
    const peer = entry.peer as { serialNumber: string; subject: string; issuer: string; notAfter: string };
    expect(BigInt(`0x${peer.serialNumber}`)).toBe(BigInt(`0x${out.trim().replace("serial=", "")}`));
    expect(peer.subject).toContain("CN=");
    expect(peer.issuer).toContain("CN=");
    expect(Date.parse(peer.notAfter)).toBeGreaterThan(0);
  }
  return entry;
}

test("a good client is served over TLS 1.3", async () => {
  const result = await curl("good/tls.crt", "good/tls.key");
  expect(result.stderr).toContain("TLSv1.3");
  expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining("hello") });
});

test("no certificate: curl exits 56 with the alert certificate required, as in the seed", async () => {
  const since = proxy.mark();
  const result = await curl(undefined, undefined);
  expect(result.code).toBe(56);
  expect(result.stderr).toContain("certificate required");
  await expectRefusal("no_certificate", since);
});

const bad: [row: string, code: string, make: (directory: string) => void][] = [
  ["unknown authority", "unknown_authority", (d) =>
    createOpensslAuthority(at("other"), "other root").issue(d, { name: "frontend", san: frontend })],
  ["expired", "expired", (d) =>
    root.issue(d, { name: "frontend", san: frontend, start: "20200101000000Z", end: "20200102000000Z" })],
  ["not yet valid", "not_yet_valid", (d) =>
    root.issue(d, { name: "frontend", san: frontend, start: "20450101000000Z", end: "20460101000000Z" })],
  ["serverAuth-only EKU", "wrong_usage", (d) => root.issue(d, { name: "frontend", san: frontend, usage: "serverAuth" })],
  ["not allowed identity", "not_allowed", (d) => root.issue(d, { name: "stranger", san: "DNS:stranger.shop.svc" })],
  ["CA certificate used as leaf", "ca_as_leaf", (d) => root.issue(d, { name: "frontend", san: frontend, ca: true })],
]; // biome-ignore format: a table

test.each(bad)(
  "%s: refused, with subject, issuer, serial and address in the log",
  async (_row, code, make) => {
    make(at(code));
    const since = proxy.mark();
    const result = await curl(`${code}/tls.crt`, `${code}/tls.key`);
    expect(result.code).not.toBe(0);
    expect(result.stdout).toBe("");
    await expectRefusal(code, since, `${code}/tls.crt`);
  },
);

test("chain incomplete: served with the intermediate sent along, refused without it", async () => {
  intermediate.issue(at("chained"), { name: "frontend", san: frontend });
  writeFileSync(
    at("chain.pem"),
    readFileSync(at("chained/tls.crt"), "utf8") + readFileSync(at("intermediate/ca.crt"), "utf8"),
  );
  expect(await curl("chain.pem", "chained/tls.key")).toMatchObject({ code: 0 });
  const since = proxy.mark();
  expect((await curl("chained/tls.crt", "chained/tls.key")).code).not.toBe(0);
  await expectRefusal("chain_incomplete", since, "chained/tls.crt");
});

test("TLS 1.2 only: refused with protocol version alert", async () => {
  const since = proxy.mark();
  const result = await curl("good/tls.crt", "good/tls.key", "--tls-max", "1.2");
  expect(result.code).toBe(35);
  await expectRefusal("unsupported_protocol", since);
});

test("plain HTTP sent to the TLS port is told so", async () => {
  const since = proxy.mark();
  const result = await run("curl", ["-s", "-i", "--max-time", "10", `http://localhost:${proxy.port}/`]);
  expect(result.stdout).toMatch(/^HTTP\/1\.1 400/);
  await expectRefusal("plain_http", since);
});

test("garbage bytes and a handshake never finished", async () => {
  const since = proxy.mark();
  connect(proxy.port, "127.0.0.1")
    .on("error", () => {})
    .end("\x00\x01garbage\xff\xfe");
  await expectRefusal("not_tls", since);
  const silent = connect(proxy.port, "127.0.0.1").on("error", () => {});
  await expectRefusal("handshake_timeout", since);
  silent.destroy();
});

/** Opens a session with openssl, keeps its ticket, and returns a function that comes back with it, certificate included or not. */
async function openSession(
  directory: string,
): Promise<() => Promise<{ code: number; stdout: string; stderr: string }>> {
  const connectTo = ["s_client", "-connect", `localhost:${proxy.port}`, "-servername", "localhost", "-CAfile", root.caFile,
    "-cert", at(`${directory}/tls.crt`), "-key", at(`${directory}/tls.key`), "-ign_eof"]; // biome-ignore format: one command line
  const request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const first = await run("openssl", [...connectTo, "-sess_out", at(`${directory}/session`)], {
    input: request,
  });
  expect(first.stdout).toContain("HTTP/1.1 200");
  return () => run("openssl", [...connectTo, "-sess_in", at(`${directory}/session`)], { input: request });
}

test("a session resumed while everything is good is served", async () => {
  root.issue(at("resumed-good"), { name: "frontend", san: frontend });
  const comeBack = await openSession("resumed-good");
  const again = await comeBack();
  expect(again.stdout).toContain("HTTP/1.1 200");
  expect(again.stdout).toContain("Reused, TLSv1.3");
});

test("a session resumed after the certificate expired is refused", async () => {
  root.issue(at("resumed-expired"), {
    name: "frontend",
    san: frontend,
    start: soon(-3_600_000),
    end: soon(4_000),
  });
  const comeBack = await openSession("resumed-expired");
  const notAfter = new Date(
    execFileSync("openssl", ["x509", "-in", at("resumed-expired/tls.crt"), "-noout", "-enddate"], {
      encoding: "utf8",
    }).replace("notAfter=", ""),
  );
  await new Promise((resolve) => setTimeout(resolve, notAfter.getTime() - Date.now() + 1_100));
  const since = proxy.mark();
  expect((await comeBack()).stdout).not.toContain("HTTP/1.1 200");
  expect(await expectRefusal("expired", since)).toMatchObject({ resumed: true });
});

test("a session resumed after the certificate was revoked is refused", async () => {
  root.issue(at("resumed-revoked"), { name: "frontend", san: frontend });
  const comeBack = await openSession("resumed-revoked");
  const before = await rotations();
  root.revoke(at("resumed-revoked/tls.crt"), at("root.crl"));
  publishCrls();
  await newGeneration(before);
  const since = proxy.mark();
  expect((await comeBack()).stdout).not.toContain("HTTP/1.1 200");
  await expectRefusal("revoked", since, "resumed-revoked/tls.crt");
});

test("trust removed: the session does not resume, and a connection opened before the swap gets in under neither trust", async () => {
  const comeBack = await openSession("good");
  // TCP is accepted now; the ClientHello follows after the swap.
  const early = connect(proxy.port, "127.0.0.1");
  await new Promise((resolve) => early.once("connect", resolve));
  await using relay = await startRelay(early);
  const before = await rotations();
  const next = createOpensslAuthority(at("next"), "next root");
  next.issue(at("moved"), { name: "backend", san: "DNS:localhost,IP:127.0.0.1" });
  next.emptyCrl(at("server/crl.pem"));
  for (const name of ["tls.key", "ca.crt", "tls.crt"]) renameSync(at(`moved/${name}`), at(`server/${name}`));
  await newGeneration(before);
  const since = proxy.mark();
  expect((await comeBack()).stdout).not.toContain("HTTP/1.1 200");
  await expectRefusal("unknown_authority", since, "good/tls.crt");
  const late = proxy.mark();
  const result = await run("curl", [
    "-sk",
    "--max-time",
    "10",
    "--cert",
    at("good/tls.crt"),
    "--key",
    at("good/tls.key"),
    `https://localhost:${relay.port}/`,
  ]);
  expect(result.stdout).toBe("");
  await expectRefusal("unknown_authority", late, "good/tls.crt");
});

const rotations = (): Promise<string> => proxy.admits("/rotations", () => true);

/** Resolves when a generation newer than those in `before` is served. */
async function newGeneration(before: string): Promise<void> {
  const latest = (text: string): number =>
    Math.max(...(JSON.parse(text) as { rotations: { generation: number; outcome: string }[] }).rotations
      .filter(({ outcome }) => outcome !== "refused").map(({ generation }) => generation)); // biome-ignore format: a chain
  await proxy.admits("/rotations", (text) => latest(text) > latest(before));
}

/** A port whose one connection continues on `socket`. */
async function startRelay(socket: Socket): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((incoming) => {
    incoming
      .on("error", () => {})
      .pipe(socket.on("error", () => {}))
      .pipe(incoming);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
