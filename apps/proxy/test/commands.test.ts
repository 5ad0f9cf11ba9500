import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request as plainRequest } from "node:http";
import { request } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createAtomicVolume, createTestAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { clientNames, serverNames, tlsOf } from "./mtls-proxy.ts";
import { startTarget } from "./plain-proxy.ts";
import { createOutput, run } from "./run-command.ts";

const common = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--certs", "/nowhere", "--wait", "50ms"];
const server = ["proxy", "server", ...common];
const client = ["proxy", "client", ...common];

test.each<[string[], number, string, string]>([
  [["proxy", "server"], 2, "--listen is required", "--listen <host:port>"],
  [[...server, "--target", "builtin:hello"], 2, "nobody would be let in", "--allow-any"],
  [[...server, "--target", "builtin:hello", "--allow-any", "--allow-dns", "a"], 2, "meaningless", "either"],
  [
    [...server, "--target", "builtin:hello", "--allow-dns", "*"],
    2,
    '--allow-dns "*" (from the command line): is not a DNS name',
    "*.shop.svc",
  ],
  [
    [...server, "--target", "builtin:hello", "--allow-spiffe-id", "https://a"],
    2,
    "is not a SPIFFE ID",
    "spiffe://shop/frontend",
  ],
  [
    [...server, "--target", "builtin:hello", "--allow-any", "--log-level", "x"],
    2,
    "expected one of",
    "debug",
  ],
  [
    [...server, "--target", "https://a", "--allow-any"],
    2,
    "is TLS already",
    "newleaf proxy client --target https://a",
  ],
  [[...server, "--target", "ftp://a", "--allow-any"], 2, "unknown scheme", "builtin:hello"],
  [[...server, "--target", "http://a/b", "--allow-any"], 2, "has a path", "targets are"],
  [[...server, "--target", "http://u:p@a", "--allow-any"], 2, "user or password", ""],
  [[...server, "--target", "tcp://a", "--allow-any"], 2, "has no port", "tcp://a:PORT"],
  [[...server, "--target", "unix:a", "--allow-any"], 2, "not an absolute path", "unix:/PATH"],
  [
    [...server, "--target", "builtin:hello", "--allow-any", "--max-connections", "0"],
    2,
    '--max-connections "0" (from the command line): is less than 1',
    "from 1 to 1000000",
  ],
  [[...server, "--target", "builtin:hello", "--allow-any"], 1, "no good identity in time", ""],
  [[...client, "--target", "http://a"], 2, "is not TLS", "targets are https://"],
  [
    [...client, "--target", "https://a", "--listen", "0.0.0.0:1"],
    2,
    "from other machines",
    "--insecure-plaintext-listen",
  ],
  [[...client, "--target", "https://a", "--expect-uri", "x"], 2, "is not a URI name", "spiffe://shop/*"],
])("%j", async (argv, code, message, hint) => {
  const result = await run(argv);
  expect(result.code).toBe(code);
  expect(result.stdout).toBe("");
  expect(result.stderr).toContain(message);
  if (code === 2) expect(result.stderr).toMatch(/^(newleaf .*\nhint: .*\n)+$/);
  expect(result.stderr).toContain(hint);
  expect(result.stderr).not.toContain("    at ");
});

/** The lines that `run` has logged so far, and one of them by its message. */
function logOf(stderr: ReturnType<typeof createOutput>) {
  const lines = () =>
    stderr
      .text()
      .split("\n")
      .filter(Boolean)
      .map((each) => JSON.parse(each));
  return (message: string) => lines().find(({ msg }) => msg === message);
}

test("a proxy without a certificate is alive, says which file is missing, and serves once it is there", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-commands-"));
  await using volume = await createAtomicVolume(join(directory, "tls"));
  const stop = new AbortController();
  const stderr = createOutput();
  const line = logOf(stderr);
  const running = run(
    [
      "proxy", "server", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--certs", volume.directory,
      "--target", "builtin:hello", "--allow-any",
    ],
    { stderr, signal: stop.signal },
  ); // biome-ignore format: one command line
  await expect.poll(() => line("admin listening"), { timeout: 10_000 }).toBeDefined();
  const ask = async (path: string) => {
    const response = await fetch(`${line("admin listening").url}${path}`);
    return `${response.status} ${await response.text()}`;
  };
  expect(await ask("/livez")).toBe("200 alive\n");
  await expect
    .poll(() => ask("/readyz"), { timeout: 10_000 })
    .toMatch(/^503 not ready: .*tls\.crt is missing; no identity to keep yet\n$/);

  await volume.write(createTestAuthority().issue(serverNames).files());
  await expect.poll(() => ask("/readyz"), { timeout: 10_000 }).toBe("200 ready\n");
  stop.abort();
  expect((await running).code).toBe(0);
  await rm(directory, { recursive: true, force: true });
});

test("an address that another process has is ERR_DAEMON_LISTEN with a hint", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const directory = await mkdtemp(join(tmpdir(), "newleaf-commands-"));
  await using volume = await createAtomicVolume(join(directory, "tls"));
  await volume.write(createTestAuthority().issue(serverNames).files());
  const { code, stderr } = await run([
    "proxy", "server", "--listen", `127.0.0.1:${port}`, "--admin", "off", "--certs", volume.directory,
    "--target", "builtin:hello", "--allow-any",
  ]); // biome-ignore format: one command line
  expect(code).toBe(1);
  expect(JSON.parse(stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({
    code: "ERR_DAEMON_LISTEN",
    error: `cannot listen on 127.0.0.1:${port}: EADDRINUSE`,
    hint: expect.stringContaining("--listen"),
  });
  other.close();
  await rm(directory, { recursive: true, force: true });
});

test("stopped while it waits for a certificate, a proxy ends well", async () => {
  const stop = new AbortController();
  const stderr = createOutput();
  const running = run(
    [...server, "--wait", "1h", "--admin", "127.0.0.1:0", "--target", "builtin:hello", "--allow-any"],
    { stderr, signal: stop.signal },
  );
  await expect.poll(() => logOf(stderr)("admin listening"), { timeout: 10_000 }).toBeDefined();
  stop.abort();
  expect((await running).code).toBe(0);
  expect(stderr.text()).not.toContain("stopped by an error");
});

test("what is cut at the end of the grace time is said", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-commands-"));
  const authority = createTestAuthority();
  await using backend = await createAtomicVolume(join(directory, "backend"));
  await backend.write(authority.issue(serverNames).files());
  await using target = await startTarget(() => undefined);
  const stop = new AbortController();
  const stderr = createOutput();
  const running = run(
    [
      "proxy", "server", "--certs", backend.directory, "--target", `http://127.0.0.1:${target.port}`, "--allow-any",
      "--listen", "127.0.0.1:0", "--admin", "off", "--grace", "200ms",
    ], // biome-ignore format: one command line
    { stderr, signal: stop.signal },
  );
  const line = logOf(stderr);
  await expect.poll(() => line("ready"), { timeout: 10_000 }).toBeDefined();
  const port = String(line("ready").listen).split(":")[1];
  const unanswered = request({ host: "localhost", port, ...tlsOf(authority.issue(clientNames)) });
  const cut = new Promise((resolve) => unanswered.once("error", resolve));
  unanswered.end();
  await once(target.server, "request");
  stop.abort();
  await cut;
  expect((await running).code).toBe(0);
  expect(line("cut what did not end within the grace time")).toMatchObject({ level: "warn", connections: 1 });
  await rm(directory, { recursive: true, force: true });
});

test("both directions run as daemons: ready line with real ports, admin pages, drain on stop", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-commands-"));
  const authority = createTestAuthority();
  await using backend = await createAtomicVolume(join(directory, "backend"));
  await using frontend = await createAtomicVolume(join(directory, "frontend"));
  await backend.write(authority.issue(serverNames).files());
  await frontend.write(authority.issue(clientNames).files());
  const stop = new AbortController();
  const start = async (argv: string[]) => {
    const stderr = createOutput();
    const running = run([...argv, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], {
      stderr,
      signal: stop.signal,
    });
    const line = logOf(stderr);
    await expect.poll(() => line("ready"), { timeout: 10_000 }).toBeDefined();
    return {
      running,
      listen: String(line("ready").listen),
      admin: String(line("admin listening").url),
      line,
    };
  };
  const proxy = await start([
    "proxy", "server", "--certs", backend.directory, "--target", "builtin:hello", "--allow-spiffe-id", "spiffe://shop/*",
  ]); // biome-ignore format: one command line
  const out = await start([
    "proxy", "client", "--certs", frontend.directory, "--target", `https://localhost:${proxy.listen.split(":")[1]}`,
    "--expect-uri", "spiffe://shop/backend",
  ]); // biome-ignore format: one command line

  const body = await new Promise<string>((resolve, reject) => {
    plainRequest(`http://${out.listen}/`, (response) => void text(response).then(resolve, reject)).end();
  });
  expect(body).toBe("hello spiffe://shop/frontend\n");
  for (const { admin } of [proxy, out]) {
    const ready = await fetch(`${admin}/readyz?verbose`);
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      { ready: true, checks: { identity: { ok: true } } },
    ]);
    const { rotations } = (await (await fetch(`${admin}/rotations`)).json()) as { rotations: object[] };
    expect(rotations).toMatchObject([{ outcome: "complete" }]);
    expect(await (await fetch(`${admin}/metrics`)).text()).toContain("newleaf_proxy_connections");
  }
  const refused = request({
    host: "localhost",
    port: proxy.listen.split(":")[1],
    ...tlsOf(authority.issue()),
  });
  await new Promise((resolve) => refused.once("error", resolve).end());
  expect(await (await fetch(`${proxy.admin}/metrics`)).text()).toContain(
    'newleaf_rejections_total{code="not_allowed"} 1',
  );

  stop.abort();
  const finished = await Promise.all([proxy.running, out.running]);
  expect(finished.map(({ code }) => code)).toEqual([0, 0]);
  expect(proxy.line("stopped")).toBeDefined();
  await rm(directory, { recursive: true, force: true });
});
