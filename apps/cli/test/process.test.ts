import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "newleaf-cli-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
// The real program needs a build (`make build`); without one these tests are skipped.
const unbuilt = !existsSync(main);

function start(...argv: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [main, ...argv], { cwd: directory, stdio: "pipe" });
}

async function finish(child: ChildProcessWithoutNullStreams) {
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (text.stdout += chunk));
  child.stderr.on("data", (chunk) => (text.stderr += chunk));
  const [code, signal] = await once(child, "close");
  return { code, signal, ...text };
}

test.skipIf(unbuilt)("the program prints its version and ends by itself", async () => {
  expect(await finish(start("--version"))).toEqual({ code: 0, signal: null, stdout: "0.1.0\n", stderr: "" });
});

test.skipIf(unbuilt)("a loop ends with 0 on SIGTERM and leaves nothing behind", async () => {
  expect((await finish(start("ca", "init"))).code).toBe(0);
  expect((await finish(start("ca", "issue", "a"))).code).toBe(0);
  const child = start("ca", "renew", "a", "--every", "20ms");
  const ended = finish(child);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await ended).toMatchObject({ code: 0, signal: null, stderr: "" });
  expect(existsSync(join(directory, "newleaf-ca/lock"))).toBe(false);
});

test.skipIf(unbuilt)("a reader that goes away ends the program quietly", async () => {
  const child = start("ca", "renew", "a", "--every", "20ms");
  const ended = finish(child);
  await once(child.stdout, "data");
  child.stdout.destroy();
  expect(await ended).toMatchObject({ code: 0, signal: null, stderr: "" });
});

test.skipIf(unbuilt)("errors of a real process are one line, a hint and an exit code", async () => {
  expect(await finish(start("inspect", "nothing-there"))).toEqual({
    code: 1,
    signal: null,
    stdout: "",
    stderr: "newleaf inspect: nothing-there does not exist\nhint: check the path; nothing exists there\n",
  });
  expect((await finish(start("ca", "list", "--ca"))).code).toBe(2);
});
