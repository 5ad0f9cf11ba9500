import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createManualClock, createTestAuthority, type ManualClock } from "@newleaf/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configOf, startLoopbackServer } from "../../test/loopback-server.ts";
import { createKubeClient } from "../client.ts";
import type { ExecPlugin } from "../kube-config.ts";
import { createKubeTransport } from "../kube-transport.ts";
import { silentLogger } from "../logger.ts";
import type { Credentials } from "./credential.ts";
import { createExecCredentials, type ExecOptions } from "./exec-credentials.ts";

const V1 = "client.authentication.k8s.io/v1";
const PATH = process.env.PATH;
let folder = "";
let number = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "exec-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A plugin that runs this program, which has `count()`: how many times it has been run, this time included. */
async function plugin(
  body: string,
  more: Partial<ExecPlugin> = {},
): Promise<ExecPlugin & { runs(): Promise<number> }> {
  number += 1;
  const script = join(folder, `plugin-${number}.mjs`);
  const log = join(folder, `runs-${number}`);
  const program = `
    import { appendFileSync, readFileSync } from "node:fs";
    appendFileSync(${JSON.stringify(log)}, "x");
    const count = () => readFileSync(${JSON.stringify(log)}).length;
    const print = (status, of = {}) => console.log(JSON.stringify({ kind: "ExecCredential", apiVersion: "${V1}", status, ...of }));
    ${body}`;
  await writeFile(script, program);
  return {
    apiVersion: V1,
    command: process.execPath,
    args: [script],
    env: {},
    interactiveMode: "IfAvailable",
    ...more,
    runs: async () => (await readFile(log, "utf8").catch(() => "")).length,
  };
}

function credentialsOf(
  of: ExecPlugin,
  more: Partial<ExecOptions> = {},
): Credentials & { clock: ManualClock } {
  const clock = createManualClock();
  const options = { clock, logger: silentLogger, env: { PATH }, interactive: false, ...more };
  return { ...createExecCredentials(of, options), clock };
}

describe("TestRefreshCreds", () => {
  it("basic-request: a token", async () => {
    const of = await plugin(`print({ token: "foo-bar" })`);
    expect(await credentialsOf(of).current()).toEqual({ authorization: "Bearer foo-bar" });
  });

  it("tells of the cluster, and of nobody to ask", async () => {
    const ca = join(folder, "ca.crt");
    await writeFile(ca, "CA");
    const of = await plugin(
      `print({ token: Buffer.from(process.env.KUBERNETES_EXEC_INFO).toString("base64url") })`,
      {
        cluster: { server: "https://one.test" },
        env: { EXTRA: "1" },
      },
    );
    const { authorization = "" } = await credentialsOf(of, { ca: { file: ca } }).current();
    expect(JSON.parse(Buffer.from(authorization.slice(7), "base64url").toString())).toEqual({
      kind: "ExecCredential",
      apiVersion: V1,
      spec: {
        interactive: false,
        cluster: {
          server: "https://one.test",
          "certificate-authority-data": Buffer.from("CA").toString("base64"),
        },
      },
    });
  });

  it("hands on the environment given, the plugin's own on top, and nothing else of this process", async () => {
    const of = await plugin(`print({ token: Object.keys(process.env).sort().join() })`, { env: { B: "2" } });
    const { authorization } = await credentialsOf(of, { env: { A: "1" } }).current();
    expect(authorization?.replace(/,__CF\w+/g, "")).toBe("Bearer A,B,KUBERNETES_EXEC_INFO");
  });

  const bad: [string, string, RegExp][] = [
    ["no-status", "print(undefined)", /neither a token nor a client certificate/],
    ["no-creds", "print({})", /neither a token nor a client certificate/],
    ["TLS credentials missing key", `print({ clientCertificateData: "secret" })`, /without its key/],
    ["TLS credentials missing cert", `print({ clientKeyData: "secret" })`, /without its key/],
    [
      "wrong version",
      `print({ token: "secret" }, { apiVersion: "client.authentication.k8s.io/v1beta1" })`,
      /of another version/,
    ],
    ["wrong kind", `print({ token: "secret" }, { kind: "Secret" })`, /no ExecCredential/],
    ["no JSON", `console.log("secret")`, /no ExecCredential/],
    ["a time that is none", `print({ token: "secret", expirationTimestamp: "secret" })`, /no time/],
    ["a token of two lines", `print({ token: "sec\\nret" })`, /not one line/],
    [
      "binary-fails",
      `console.log("secret"); console.error("secret"); process.exit(73)`,
      /ended with exit code 73; hint: install it$/,
    ],
    ["killed", `process.kill(process.pid, "SIGTERM")`, /ended with SIGTERM/],
    ["too much output", `process.stdout.write("secret".repeat(400000))`, /printed more than 1048576 octets/],
  ];
  it.each(bad)("%s", async (_, body, message) => {
    const failure = await credentialsOf(await plugin(body, { installHint: "install it\n" }))
      .current()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: expect.stringMatching(message) });
    expect((failure as { code: string }).code).toMatch(/^ERR_KUBE_(EXEC|CONFIG)$/);
    expect(String(failure)).not.toMatch(/sec/);
  });

  it("binary-not-found", async () => {
    const of = await plugin("", { command: "does-not-exist-7", installHint: "install it" });
    await expect(credentialsOf(of).current()).rejects.toMatchObject({
      code: "ERR_KUBE_EXEC",
      message: "credential plugin does-not-exist-7 was not found; hint: install it",
    });
  });

  it("interactive mode Always, and nobody is there", async () => {
    const of = await plugin(`print({ token: "a" })`, { interactiveMode: "Always" });
    await expect(credentialsOf(of).current()).rejects.toMatchObject({ code: "ERR_KUBE_EXEC" });
    expect(await of.runs()).toBe(0);
  });

  it("never through a shell", async () => {
    const of = await plugin(`print({ token: process.argv.slice(2).join("|") })`);
    const args = [...of.args, "$(id)", "a;b", "*"];
    expect(await credentialsOf({ ...of, args }).current()).toEqual({ authorization: "Bearer $(id)|a;b|*" });
  });

  it("a plugin that hangs is killed with what it started, at the deadline", async () => {
    const pids = join(folder, "pids");
    const of = await plugin(`
      import { spawn } from "node:child_process";
      import { writeFileSync, renameSync } from "node:fs";
      const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
      writeFileSync(${JSON.stringify(`${pids}.new`)}, process.pid + " " + child.pid);
      renameSync(${JSON.stringify(`${pids}.new`)}, ${JSON.stringify(pids)});
      setInterval(() => {}, 1000);`);
    const credentials = credentialsOf(of);
    const failure = credentials.current().catch((error: unknown) => error);
    const started = await until(() => readFile(pids, "utf8").catch(() => undefined));
    await credentials.clock.advance(60_000);
    expect(await failure).toMatchObject({
      code: "ERR_KUBE_EXEC",
      message: expect.stringContaining("within 60000 ms"),
    });
    for (const pid of started.split(" ")) await until(async () => (isGone(Number(pid)) ? true : undefined));
  });
});

it("a plugin whose daemon keeps its output open is given up at the deadline", async () => {
  const file = join(folder, "daemon");
  const of = await plugin(`
    import { spawn } from "node:child_process";
    import { writeFileSync, renameSync } from "node:fs";
    const daemon = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit", detached: true });
    writeFileSync(${JSON.stringify(`${file}.new`)}, String(daemon.pid));
    renameSync(${JSON.stringify(`${file}.new`)}, ${JSON.stringify(file)});
    daemon.unref();
    print({ token: "t" });`);
  const credentials = credentialsOf(of);
  const failure = credentials.current().catch((error: unknown) => error);
  const pid = Number(await until(() => readFile(file, "utf8").catch(() => undefined)));
  try {
    await credentials.clock.advance(60_000);
    expect(await failure).toMatchObject({ message: expect.stringContaining("within 60000 ms") });
  } finally {
    process.kill(pid, "SIGKILL");
  }
});

describe("a credential is kept", () => {
  it("until it expires, and obtained by one run for all that wait (TestConcurrentUpdateTransportConfig)", async () => {
    const of = await plugin(`print({ token: "t" + count(), expirationTimestamp: "2030-01-01T00:01:00Z" })`);
    const credentials = credentialsOf(of);
    const all = await Promise.all(Array.from({ length: 20 }, () => credentials.current()));
    expect(new Set(all).size).toBe(1);
    await credentials.clock.advance(59_999);
    expect(await credentials.current()).toEqual({ authorization: "Bearer t1" });
    await credentials.clock.advance(1);
    expect(await credentials.current()).toEqual({ authorization: "Bearer t2" });
    expect(await of.runs()).toBe(2);
  });

  it("until it is refused, once however many were refused with it", async () => {
    const of = await plugin(`print({ token: "t" + count() })`);
    const credentials = credentialsOf(of);
    const refused = await credentials.current();
    expect(await Promise.all([credentials.renew(refused), credentials.renew(refused)])).toEqual([true, true]);
    expect(await credentials.renew(refused)).toBe(true);
    expect(await of.runs()).toBe(2);
  });

  it("not when the plugin failed", async () => {
    const of = await plugin(`if (count() === 1) process.exit(1); print({ token: "t" })`);
    const credentials = credentialsOf(of);
    await expect(credentials.current()).rejects.toMatchObject({ code: "ERR_KUBE_EXEC" });
    expect(await credentials.current()).toEqual({ authorization: "Bearer t" });
  });
});

it("TestRoundTripper: a 401 runs the plugin again, and the request is sent once more", async () => {
  const of = await plugin(`print({ token: "t" + count() })`);
  let wanted = "Bearer t1";
  await using server = await startLoopbackServer((request, response) => {
    response.statusCode = request.headers.authorization === wanted ? 200 : 401;
    response.end("{}");
  });
  await using transport = createKubeTransport(configOf(server.url, { user: { exec: of } }), {
    env: { PATH },
  });
  await using client = createKubeClient({ transport });
  expect((await client.request({ path: "/a" })).ok).toBe(true);
  wanted = "Bearer t2";
  const answers = await Promise.all(Array.from({ length: 5 }, () => client.request({ path: "/b" })));
  expect(answers.every(({ ok }) => ok)).toBe(true);
  wanted = "Bearer none";
  expect(await client.request({ path: "/c" })).toMatchObject({ ok: false, status: { code: 401 } });
  expect(await of.runs()).toBe(3);
});

it("TestTLSCredentials: a client certificate of the plugin, and the next one when that is refused", async () => {
  const authority = createTestAuthority();
  const [first, second] = [
    authority.issue({ commonName: "first" }),
    authority.issue({ commonName: "second" }),
  ];
  const status = [first, second].map(({ chainPem, keyPem }) => ({
    clientCertificateData: chainPem,
    clientKeyData: keyPem,
  }));
  const of = await plugin(`print(${JSON.stringify(status)}[Math.min(count(), 2) - 1])`);
  let wanted = "first";
  await using server = await startLoopbackServer(
    (request, response) => {
      const { CN } = (request.socket as import("node:tls").TLSSocket).getPeerCertificate().subject;
      response.statusCode = CN === wanted ? 200 : 401;
      response.end("{}");
    },
    { identity: authority.issue(), clientCa: authority.trustPem },
  );
  const config = configOf(server.url, { tls: { ca: { pem: authority.trustPem } }, user: { exec: of } });
  await using transport = createKubeTransport(config, { env: { PATH } });
  await using client = createKubeClient({ transport });
  expect((await client.request({ path: "/a" })).ok).toBe(true);
  wanted = "second";
  expect((await client.request({ path: "/b" })).ok).toBe(true);
  expect(await of.runs()).toBe(2);
});

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error("it did not come to that in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
