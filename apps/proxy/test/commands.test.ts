import { mkdtemp, rm } from "node:fs/promises";
import { request as plainRequest } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createAtomicVolume, createTestAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { clientNames, serverNames, tlsOf } from "./mtls-proxy.ts";
import { createOutput, run } from "./run-command.ts";

const server = ["proxy", "server", "--listen", "127.0.0.1:0", "--certs", "/nowhere", "--wait", "50ms"];
const client = ["proxy", "client", "--listen", "127.0.0.1:0", "--certs", "/nowhere", "--wait", "50ms"];

test.each<[string[], number, string, string]>([
  [["proxy", "server"], 2, "--listen is required", "--listen <host:port>"],
  [[...server, "--target", "builtin:hello"], 2, "nobody would be let in", "--allow-any"],
  [[...server, "--target", "builtin:hello", "--allow-any", "--allow-dns", "a"], 2, "meaningless", "either"],
  [[...server, "--target", "builtin:hello", "--allow-dns", "*"], 2, 'allow.dns("*")', ""],
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
    "--max-connections",
    "",
  ],
  [[...server, "--target", "builtin:hello", "--allow-any"], 1, "no good identity in time", ""],
  [[...client, "--target", "http://a"], 2, "is not TLS", "targets are https://"],
  [
    [...client, "--target", "https://a", "--listen", "0.0.0.0:1"],
    2,
    "from other machines",
    "--insecure-plaintext-listen",
  ],
  [[...client, "--target", "https://a", "--expect-uri", "x"], 2, "allow.uri", ""],
])("%j", async (argv, code, message, hint) => {
  const result = await run(argv);
  expect(result.code).toBe(code);
  expect(result.stdout).toBe("");
  expect(result.stderr).toContain(message);
  expect(result.stderr).toContain(hint);
  expect(result.stderr).not.toContain("    at ");
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
    const line = (message: string) =>
      stderr
        .text()
        .split("\n")
        .filter(Boolean)
        .map((each) => JSON.parse(each))
        .find(({ msg }) => msg === message);
    await expect.poll(() => line("admin listening"), { timeout: 10_000 }).toBeDefined();
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
