import { appendFile, mkdir, rename, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Generation, watchFiles } from "@newleaf/rotation";
import { createTestAuthority, type PlainWriteOptions, writePlainFiles } from "@newleaf/testing";
import { expect, test } from "vitest";
import { createScratch, generationOf, refusalOf } from "./outcomes.ts";

const authority = createTestAuthority();
const SETTLE = 40;

async function startPlain() {
  const scratch = await createScratch();
  const directory = join(scratch.path, "tls");
  await writePlainFiles(directory, authority.issue().files());
  const source = await watchFiles({ directory, settleMs: SETTLE });
  return {
    source,
    directory,
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}

const writers: readonly (readonly [string, PlainWriteOptions])[] = [
  ["in place, certificate first", { each: "truncate", order: ["tls.crt"] }],
  ["in place, key first", { each: "truncate", order: ["tls.key"] }],
  ["by rename, certificate first", { each: "rename", order: ["tls.crt"] }],
  ["by rename, bundle first", { each: "rename", order: ["ca.crt", "tls.key"] }],
];

test.each(writers)("written %s within the settling time, nothing is refused", async (_how, options) => {
  await using started = await startPlain();
  const { source, directory } = started;
  for (let update = 0; update < 3; update++) {
    const identity = authority.issue();
    await generationOf(
      source,
      ({ leaf }) => leaf.sha256 === identity.certificate.sha256,
      () => writePlainFiles(directory, identity.files(), { ...options, between: () => delay(5) }),
    );
  }
  expect(source.status()).toMatchObject({ stale: false, refusals: {}, updates: 4 });
});

test("a pair torn for longer is called torn once and taken when it is whole", async () => {
  await using started = await startPlain();
  const { source, directory } = started;
  const identity = authority.issue();
  const refusal = await refusalOf(source, "torn", () =>
    writeFile(join(directory, "tls.crt"), identity.chainPem),
  );
  expect(refusal.message).toMatch(/update is under way; keeping generation 1/);
  await delay(5 * SETTLE);
  await generationOf(
    source,
    ({ number }) => number === 2,
    () => writeFile(join(directory, "tls.key"), identity.keyPem),
  );
  expect(source.status()).toMatchObject({ stale: false, refusals: { torn: 1 } });
});

test("a pair that stays torn is a mismatch in the end, and heals", async () => {
  await using started = await startPlain();
  const { source, directory } = started;
  const identity = authority.issue();
  await refusalOf(source, "key_mismatch", () => writeFile(join(directory, "tls.crt"), identity.chainPem));
  expect(source.status().refusals).toMatchObject({ torn: 1, key_mismatch: 1 });
  await generationOf(
    source,
    ({ number }) => number === 2,
    () => writeFile(join(directory, "tls.key"), identity.keyPem),
  );
});

test("a torn pair that is taken back leaves nothing stale", async () => {
  await using started = await startPlain();
  const { source, directory } = started;
  const { leaf } = source.current();
  const before = createTestAuthority().issue();
  await refusalOf(source, "torn", () =>
    rename(join(directory, "tls.crt"), join(directory, "kept")).then(() =>
      writeFile(join(directory, "tls.crt"), before.chainPem),
    ),
  );
  await rename(join(directory, "kept"), join(directory, "tls.crt"));
  await source.reload();
  expect(source.status()).toMatchObject({ stale: false, updates: 1 });
  expect(source.current().leaf).toBe(leaf);
});

test("half a bundle, cut between two certificates, is never taken while it is being written", async () => {
  await using started = await startPlain();
  const { source, directory } = started;
  const roll = authority.roll();
  const path = join(directory, "ca.crt");
  await generationOf(
    source,
    ({ trust }) => trust.certificates.length === 2,
    async () => {
      await truncate(path);
      await appendFile(path, roll.next.trustPem);
      await delay(SETTLE / 2);
      await appendFile(path, authority.trustPem);
    },
  );
  expect(source.status()).toMatchObject({ updates: 2, refusals: {} });
});

test("files that never stop changing are refused as torn, and taken once they stop", async () => {
  await using started = await startPlain();
  const { source, directory } = started;
  const identity = authority.issue();
  const path = join(directory, "tls.crt");
  const writing = new AbortController();
  const writer = (async () => {
    for (let line = 0; !writing.signal.aborted; line++) {
      await writeFile(path, `${identity.chainPem}# ${line}\n`);
      await delay(5);
    }
  })();
  const refusal = await refusalOf(source, "torn", () => {});
  expect(refusal.message).toMatch(/^the files go on changing; keeping generation 1/);
  writing.abort();
  await writer;
  await generationOf(
    source,
    ({ number }) => number === 2,
    () => writeFile(join(directory, "tls.key"), identity.keyPem),
  );
});

test("files that are links into an archive, as certbot keeps them, are followed both ways", async () => {
  await using scratch = await createScratch();
  const directory = join(scratch.path, "live");
  const archive = join(scratch.path, "archive");
  await mkdir(directory);
  const first = authority.issue();
  await writePlainFiles(archive, first.files());
  for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
    await symlink(join("..", "archive", name), join(directory, name));
  }
  await using source = await watchFiles({ directory, settleMs: SETTLE, pollMs: 3_600_000 });
  const second = authority.issue();
  const isSecond = ({ leaf }: Generation) => leaf.sha256 === second.certificate.sha256;
  await generationOf(source, isSecond, () => writePlainFiles(archive, second.files()));
  await writePlainFiles(join(scratch.path, "archive2"), authority.issue().files());
  await generationOf(
    source,
    ({ number }) => number === 3,
    async () => {
      for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
        await symlink(join("..", "archive2", name), join(directory, `${name}.new`));
        await rename(join(directory, `${name}.new`), join(directory, name));
      }
    },
  );
});
