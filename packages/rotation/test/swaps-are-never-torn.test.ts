import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { watchFiles } from "@newleaf/rotation";
import { createTestAuthority, type VolumeFiles } from "@newleaf/testing";
import { keyMatchesCertificate } from "@newleaf/x509";
import { expect, test } from "vitest";
import { readIdentity } from "../src/internal/read-identity.ts";
import { createScratch, eventually } from "./outcomes.ts";

const SWAPS = 3_000;

/** Swaps a volume as the kubelet does, on a thread of its own, as fast as the file system goes. */
function swapAtFullSpeed(directory: string, contents: readonly VolumeFiles[]): Promise<void> {
  const code = `
    const { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
    const { workerData: { directory, contents, swaps } } = require("node:worker_threads");
    for (let n = 0; n < swaps; n++) {
      mkdirSync(directory + "/..swap" + n);
      const files = Object.entries(contents[n % contents.length]);
      for (const [name, text] of files) writeFileSync(directory + "/..swap" + n + "/" + name, text);
      symlinkSync("..swap" + n, directory + "/..data_tmp");
      renameSync(directory + "/..data_tmp", directory + "/..data");
      if (n === 0) for (const [name] of files) symlinkSync("..data/" + name, directory + "/" + name);
      else rmSync(directory + "/..swap" + (n - 1), { recursive: true });
    }`;
  const worker = new Worker(code, { eval: true, workerData: { directory, contents, swaps: SWAPS } });
  return new Promise((resolve, reject) => {
    worker.on("error", reject);
    worker.on("exit", () => resolve());
  });
}

test("every read during swaps at full speed is of one snapshot", async () => {
  await using scratch = await createScratch();
  const contents = Array.from({ length: 50 }, (_, n) => {
    const text = `${n} `.repeat(500);
    return { "tls.crt": text, "tls.key": text, "ca.crt": text };
  });
  const at = (name: string) => join(scratch.path, name);
  const paths = { certificate: at("tls.crt"), key: at("tls.key"), trust: at("ca.crt"), crl: undefined };
  let writing = true;
  const writer = swapAtFullSpeed(scratch.path, contents).finally(() => {
    writing = false;
  });
  const counts = { snapshots: 0, torn: 0, missing: 0, before: 0 };
  while (writing) {
    for (let reads = 0; reads < 50; reads++) {
      const outcome = readIdentity(paths, 2 ** 20);
      if (outcome.ok) {
        const { certificates, key, trust } = outcome.material;
        const texts = new Set([certificates, key, trust].map(String));
        if (texts.size === 1) counts.snapshots++;
        else counts.torn++;
      } else if (counts.snapshots === 0) counts.before++;
      else counts.missing++;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writer;
  expect(counts).toMatchObject({ torn: 0, missing: 0 });
  expect(counts.snapshots).toBeGreaterThan(1_000);
});

test("a source that follows swaps at full speed takes only whole identities and ends with the last", async () => {
  await using scratch = await createScratch();
  const authority = createTestAuthority();
  const identities = Array.from({ length: 20 }, () => authority.issue());
  const writer = swapAtFullSpeed(
    scratch.path,
    identities.map((identity) => identity.files()),
  );
  await using source = await watchFiles({ directory: scratch.path, settleMs: 20 });
  const before = { ...source.status().refusals };
  let seen = 0;
  const watching = (async () => {
    for await (const { key, leaf } of source.watch()) {
      expect(keyMatchesCertificate(key, leaf)).toBe(true);
      seen++;
    }
  })();
  await writer;
  const last = identities[(SWAPS - 1) % identities.length]?.certificate.sha256;
  await eventually(() => source.current().leaf.sha256 === last, "the last identity is current");
  expect(source.status().refusals).toEqual(before);
  await source[Symbol.asyncDispose]();
  await watching;
  expect(seen).toBeGreaterThan(10);
});
