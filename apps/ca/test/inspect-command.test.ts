import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { newleaf } from "./run-newleaf.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

async function issued(...argv: readonly string[]) {
  const directory = createTemporaryDirectory();
  const ca = directory.file("ca");
  const out = directory.file("certs");
  await newleaf(["ca", "init", ca, "--name", "shop root"]);
  await newleaf(["ca", "issue", "backend", "--ca", ca, "--out", out, ...argv]);
  return { ca, out, file: directory.file, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

test("a directory that the authority wrote has nothing to warn of", async () => {
  using world = await issued();
  const result = await newleaf(["inspect", world.out, "--fail-on", "note"]);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  expect(result.stdout).toMatch(/^.*\/certs\/ca\.crt\n {2}root {9}CN=shop root\n/);
  expect(result.stdout).toMatch(/certificate {2}CN=backend\n/);
  expect(result.stdout).toMatch(/nothing to warn of\n$/);
  expect(result.stdout).not.toContain("\u001b[");
});

test("--fail-on decides what fails; without it findings never do", async () => {
  using world = await issued("--server");
  expect((await newleaf(["inspect", world.out])).code).toBe(0);
  expect((await newleaf(["inspect", world.out, "--fail-on", "error"])).code).toBe(0);
  const failed = await newleaf(["inspect", world.out, "--fail-on", "warning"]);
  expect(failed.code).toBe(1);
  expect(failed.stdout).toMatch(
    /warning {2}\S+\/tls\.crt: CN=backend may not be used as a client: .*\n {9}issue it for clients too/,
  );
  expect((await newleaf(["inspect", world.out, "--fail-on", "warning", "--for", "server"])).code).toBe(0);
});

test("standard input and files together; --json is one document without any key", async () => {
  using world = await issued();
  const pem = readFileSync(`${world.out}/tls.crt`);
  const result = await newleaf(["inspect", "-", `${world.out}/tls.key`, `${world.ca}/ca.crt`, "--json"], {
    stdin: Readable.from([pem.subarray(0, 100), pem.subarray(100)]),
  });
  const document = JSON.parse(result.stdout);
  const [leaf, key] = document.files.map((file: { items: object[] }) => file.items[0]);
  expect(document.findings).toEqual([]);
  expect(leaf).toMatchObject({
    kind: "certificate",
    subject: "CN=backend",
    names: ["backend", "localhost", "ip 127.0.0.1", "ip ::1"],
    isCa: false,
    key: { algorithm: "ECDSA P-256", bits: 256 },
    path: [leaf.sha256, expect.any(String)],
  });
  expect(key).toMatchObject({
    kind: "private key",
    belongsTo: [leaf.sha256],
    key: { spkiSha256: leaf.key.spkiSha256 },
  });
  const secret = readFileSync(`${world.out}/tls.key`, "utf8").split("\n")[1] ?? "";
  expect(result.stdout).not.toContain(secret);
});

test("what is there is shown even when a file beside it is damaged", async () => {
  using world = await issued();
  writeFileSync(world.file("half.pem"), readFileSync(`${world.out}/tls.crt`, "utf8").slice(0, 300));
  const result = await newleaf([
    "inspect",
    world.file("half.pem"),
    `${world.ca}/ca.crt`,
    "--fail-on",
    "error",
  ]);
  expect(result.code).toBe(1);
  expect(result.stdout).toMatch(/error {4}\S+\/half\.pem: /);
  expect(result.stdout).toContain("CN=shop root");
});

test("a key that every user may read", async () => {
  using world = await issued("--layout", "plain");
  chmodSync(`${world.out}/tls.key`, 0o644);
  const result = await newleaf(["inspect", world.out, "--fail-on", "warning"]);
  expect(result).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("every user of this machine may read"),
  });
  expect(result.stdout).toContain("chmod 600");
});

test("a path that is not there is one line; an empty directory says that it is empty", async () => {
  using directory = createTemporaryDirectory();
  expect(await newleaf(["inspect", directory.file("none")])).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(/^newleaf inspect: .*\/none does not exist\n/),
  });
  mkdirSync(directory.file("empty"));
  const empty = await newleaf(["inspect", directory.file("empty")]);
  expect(empty.stdout).toMatch(/^no certificates, keys, requests or revocation lists\n/);
  expect((await newleaf(["inspect"])).code).toBe(2);
});

test("colours when asked for", async () => {
  using world = await issued();
  const result = await newleaf(["inspect", world.out], { env: { FORCE_COLOR: "1" } });
  expect(result.stdout).toContain("\u001b[36mCN=backend\u001b[39m");
});
