import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { createFilePublisher } from "../src/publish/file-publisher.ts";

const script = new URL("publish-forever.ts", import.meta.url).pathname;
const names = ["bundle.pem", "key.pem", "svid.pem"];

/** Runs the writer until it has published some sets, kills it a moment later, and says how far it came. */
async function writeAndKill(directory: string, from: number, moment: number): Promise<number> {
  const child = spawn(process.execPath, ["--import", "tsx", script, directory, String(from)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last = from;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    seen += 1;
    // Work between two lines is what the kill must hit: a busy wait is shorter than any timer.
    if (seen !== 5) continue;
    const until = performance.now() + moment;
    while (performance.now() < until);
    child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return last;
}

test("a publisher that is killed while it writes leaves a set that fits, and nothing that the next one does not tidy up", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nl-killed-"));
  let from = 0;
  for (const moment of [0, 1, 2, 4, 7]) {
    from = (await writeAndKill(directory, from, moment)) + 1;
    const texts = await Promise.all(names.map((name) => readFile(join(directory, name), "utf8")));
    for (const [index, text] of texts.entries()) {
      expect(text).toMatch(new RegExp(`^(${names[index]}){2000} \\d+$`));
    }
    expect(new Set(texts.map((text) => text.split(" ").at(-1))).size).toBe(1);
  }
  const words = { directory: "dir", plainFiles: "plain" };
  const publisher = createFilePublisher({
    directory,
    how: "directory",
    owner: undefined,
    words,
    groupOf: () => "x509",
  });
  await publisher.publish("x509", new Map(names.map((name) => [name, { content: "last", mode: 0o600 }])));
  const left = (await readdir(directory)).filter((name) => !names.includes(name));
  expect(left).toEqual(["..data", expect.stringMatching(/^\.\.newleaf_/)]);
  await rm(directory, { recursive: true });
});
