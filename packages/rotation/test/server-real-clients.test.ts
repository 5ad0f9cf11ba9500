import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { encodeCertificates } from "@newleaf/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allow } from "../src/authorize.ts";
import { peerOf } from "../src/verified-peer.ts";
import { createAuthority, createIdentity, HOUR, issue, startServer } from "./server-fixture.ts";

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, ...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
    child.stdin?.end();
  });
}

/** openssl s_client with a request, or with nothing, on its standard input. */
async function sClient(port: number, args: readonly string[], request = ""): Promise<Run> {
  const child = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...args], { timeout: 20_000 });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  child.stdin.on("error", () => {});
  if (request === "") child.stdin.end();
  else child.stdin.write(request);
  const [exitCode] = await once(child, "close");
  return { exitCode, stdout, stderr };
}

const hasCurl = (await run("curl", "--version")).exitCode === 0;
const hasOpenssl = (await run("openssl", "version")).exitCode === 0;

const authority = createAuthority();
let directory: string;

async function files(name: string, credentials: { cert: string; key: string }): Promise<[string, string]> {
  const paths: [string, string] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  await writeFile(paths[0], credentials.cert);
  await writeFile(paths[1], credentials.key, { mode: 0o600 });
  return paths;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "newleaf-"));
  await writeFile(join(directory, "ca.crt"), encodeCertificates([authority.certificate]));
});
afterAll(() => rm(directory, { recursive: true }));

const hello = (request: IncomingMessage, response: ServerResponse): void => {
  const peer = peerOf(request.socket);
  response.setHeader("connection", "close");
  response.end(`${peer?.dnsNames.join()} ${peer?.resumed}\n`);
};

describe.skipIf(!hasCurl)("curl (skipped where it is not installed)", () => {
  const curl = (port: number, ...args: readonly string[]): Promise<Run> =>
    run("curl", "-sS", "--cacert", join(directory, "ca.crt"), ...args, `https://localhost:${port}/`);

  test("is served with its certificate", async () => {
    await using server = await startServer(createIdentity({ authority }).source, { handler: hello });
    const [cert, key] = await files("good", issue(authority));
    expect(await curl(server.port, "--cert", cert, "--key", key)).toMatchObject({
      exitCode: 0,
      stdout: "frontend false\n",
    });
  });

  test("without a certificate: exit 56, certificate required", async () => {
    await using server = await startServer(createIdentity({ authority }).source, { handler: hello });
    const { exitCode, stderr } = await curl(server.port);
    expect(exitCode).toBe(56);
    expect(stderr).toContain("certificate required");
    expect(await server.rejected()).toMatchObject({ code: "no_certificate" });
  });

  test.each([
    ["unknown_authority", issue(createAuthority("stranger"))],
    [
      "expired",
      issue(authority, { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) }),
    ],
    ["not_allowed", issue(authority, { dnsNames: ["intruder"] })],
  ])("with a certificate that is %s", async (code, credentials) => {
    await using server = await startServer(createIdentity({ authority }).source, {
      handler: hello,
      authorize: allow.dns("frontend"),
    });
    const [cert, key] = await files(code, credentials);
    const { exitCode } = await curl(server.port, "--cert", cert, "--key", key);
    expect([52, 56]).toContain(exitCode);
    expect(await server.rejected()).toMatchObject({
      code,
      peer: { serialNumber: credentials.certificate.serialNumber },
    });
  });

  test("without TLS: a text that says what to do", async () => {
    await using server = await startServer(createIdentity({ authority }).source, { handler: hello });
    const { stdout } = await run("curl", "-sS", `http://localhost:${server.port}/`);
    expect(stdout).toContain("This port speaks HTTPS");
    expect(await server.rejected()).toMatchObject({ code: "plain_http" });
  });

  test("that does not know our authority says so, and we pass it on", async () => {
    await using server = await startServer(createIdentity({ authority }).source, { handler: hello });
    const [cert, key] = await files("foreign", issue(authority));
    const { exitCode } = await run(
      "curl",
      "-sS",
      "--cert",
      cert,
      "--key",
      key,
      `https://localhost:${server.port}/`,
    );
    expect(exitCode).toBe(60);
    expect(await server.rejected()).toMatchObject({
      code: "handshake_failed",
      message: "the client refused this server: tlsv1 alert unknown ca",
    });
  });
});

describe.skipIf(!hasOpenssl)("openssl (skipped where it is not installed)", () => {
  test("TLS 1.2 only", async () => {
    await using server = await startServer(createIdentity({ authority }).source, { handler: hello });
    const { stderr } = await sClient(server.port, ["-tls1_2"]);
    expect(stderr).toContain("alert protocol version");
    expect(await server.rejected()).toMatchObject({ code: "unsupported_protocol" });
  });

  test("a saved session comes back, until its owner is no longer allowed", async () => {
    let allowed = true;
    await using server = await startServer(createIdentity({ authority }).source, {
      handler: hello,
      authorize: () => allowed,
    });
    const [cert, key] = await files("resuming", issue(authority));
    const saved = join(directory, "session");
    const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const args = ["-quiet", "-cert", cert, "-key", key];
    expect((await sClient(server.port, [...args, "-sess_out", saved], request)).stdout).toContain(
      "frontend false",
    );
    expect((await sClient(server.port, [...args, "-sess_in", saved], request)).stdout).toContain(
      "frontend true",
    );
    allowed = false;
    expect((await sClient(server.port, [...args, "-sess_in", saved], request)).stdout).not.toContain(
      "frontend",
    );
    expect(await server.rejected()).toMatchObject({ code: "not_allowed", resumed: true });
  });

  test("no cipher in common: OpenSSL's own words", async () => {
    await using server = await startServer(createIdentity({ authority }).source, { handler: hello });
    await sClient(server.port, ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"]);
    expect(await server.rejected()).toMatchObject({
      code: "handshake_failed",
      message: "the handshake failed: no shared cipher",
    });
  });
});

test("a handler sees an authorized socket, as it would with Node's own server", async () => {
  const seen: unknown[] = [];
  const identity = createIdentity({ authority });
  await using server = await startServer(identity.source, {
    kind: "tls",
    handler: (socket: TLSSocket) => {
      seen.push(socket.authorized, socket.getPeerCertificate().subject.CN, socket.encrypted);
      socket.end();
    },
  });
  const socket = connect({
    port: server.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ...issue(authority),
  });
  await once(socket.resume(), "close");
  expect(seen).toEqual([true, "frontend", true]);
});
