import { createAtomicVolume } from "@newleaf/testing";
import { expect, test } from "vitest";
import { type MtlsServer, serverNames, startMtlsServer } from "./mtls-server.ts";
import { createOutput, run } from "./run-command.ts";

const verdicts = (stdout: string) =>
  (JSON.parse(stdout) as { targets: { verdict: string }[] }).targets.map(({ verdict }) => verdict);

const verify = (server: MtlsServer, ...args: string[]) =>
  run(["verify", server.url, "--certs", server.volume.directory, "--json", ...args]);

test("equal, with the chain and in words", async () => {
  await using server = await startMtlsServer();
  const json = await verify(server);
  expect([json.code, verdicts(json.stdout), json.stderr]).toEqual([0, ["equal"], ""]);
  const table = await run(["verify", `localhost:${server.port}`, "--certs", server.volume.directory]);
  expect(table.code).toBe(0);
  expect(table.stdout).toMatch(
    /^target +verdict +identity +serial +expires +chain\n.* equal +spiffe:\/\/shop\/backend +\w{12} +in 59m +valid\n$/,
  );
});

test("older, newer and foreign, each with exit code 1 and a sentence", async () => {
  await using server = await startMtlsServer();
  await using stored = await createAtomicVolume(`${server.directory}/stored`);
  const against = async (options: object) => {
    await stored.write(server.authority.issue({ ...serverNames, ...options }).files());
    return run(["verify", server.url, "--certs", stored.directory, "--within", "0s"]);
  };
  const older = await against({ notBefore: new Date(Date.now() - 1_000) });
  expect([older.code, older.stdout]).toEqual([
    1,
    expect.stringContaining("still serves an older certificate"),
  ]);
  const newer = await against({ notBefore: new Date(Date.now() - 3_600_000) });
  expect([newer.code, newer.stdout]).toEqual([1, expect.stringContaining("serves a newer certificate")]);
  const foreign = await against({ uris: ["spiffe://shop/other"] });
  expect([foreign.code, foreign.stdout]).toEqual([
    1,
    expect.stringContaining("serves a certificate of somebody else"),
  ]);
});

test("a stored pair that cannot be served: what is wrong with it, and what is served", async () => {
  await using server = await startMtlsServer();
  await using stored = await createAtomicVolume(`${server.directory}/stored`);
  const other = server.authority.issue(serverNames).files();
  await stored.write({ ...server.authority.issue(serverNames).files(), "tls.key": other["tls.key"] ?? "" });
  const { code, stdout } = await run(["verify", server.url, "--certs", stored.directory, "--json"]);
  expect([code, verdicts(stdout)]).toEqual([1, ["served"]]);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    stored: { error: expect.stringContaining("tls.key") },
  });
});

test("unreachable, beside one that is equal", async () => {
  await using server = await startMtlsServer();
  const result = await verify(server, "tls://127.0.0.1:1");
  expect([result.code, verdicts(result.stdout)]).toEqual([1, ["equal", "unreachable"]]);
});

test("without --certs: what is served, and whether it verifies to --ca", async () => {
  await using server = await startMtlsServer();
  const served = await run(["verify", server.url]);
  expect([served.code, served.stdout]).toEqual([0, expect.stringContaining("not checked")]);
  expect(served.stdout).toContain("alert certificate required");
  const good = await run(["verify", server.url, "--ca", server.volume.directory]);
  expect([good.code, good.stdout]).toEqual([0, expect.stringContaining("valid")]);
  await using other = await startMtlsServer();
  const bad = await run(["verify", server.url, "--ca", `${other.volume.directory}/ca.crt`]);
  expect([bad.code, bad.stdout]).toEqual([1, expect.stringContaining("unknown_authority")]);
});

test("an update has a second to be served", async () => {
  await using server = await startMtlsServer();
  for (let round = 0; round < 5; round++) {
    const written = server.volume.write(server.authority.issue(serverNames).files());
    const result = await verify(server);
    await written;
    expect([result.code, verdicts(result.stdout)]).toEqual([0, ["equal"]]);
  }
});

test("--watch prints changes and exits by the last state", async () => {
  await using server = await startMtlsServer();
  const stop = new AbortController();
  const stdout = createOutput();
  const running = run(
    [
      "verify",
      server.url,
      "--certs",
      server.volume.directory,
      "--watch",
      "--every",
      "100ms",
      "--json",
      "--timeout",
      "1s",
    ],
    { stdout, signal: stop.signal },
  );
  const lines = () =>
    stdout
      .text()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { verdict: string });
  await expect.poll(() => lines().length).toBe(1);
  await server.volume.write(server.authority.issue(serverNames).files());
  await expect.poll(() => lines().length, { timeout: 5_000 }).toBe(2);
  server.server.close();
  await expect.poll(() => lines().length, { timeout: 5_000 }).toBe(3);
  stop.abort();
  expect((await running).code).toBe(1);
  expect(lines().map(({ verdict }) => verdict)).toEqual(["equal", "equal", "unreachable"]);
});

test.each([
  [["verify"], "missing required argument"],
  [["verify", "ftp://x"], "is not one of https://"],
  [["verify", "https://x", "--timeout", "soon"], "is not a duration"],
])("%j: one line and no stack", async (argv, message) => {
  const { code, stdout, stderr } = await run(argv as string[]);
  expect(code).toBeGreaterThan(0);
  expect(stdout).toBe("");
  expect(stderr).toContain(message);
  expect(stderr).not.toContain("    at ");
});
