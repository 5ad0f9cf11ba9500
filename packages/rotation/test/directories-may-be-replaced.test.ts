import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { watchFiles } from "@newleaf/rotation";
import { createAtomicVolume, createTestAuthority, replaceDirectory, writePlainFiles } from "@newleaf/testing";
import { expect, test } from "vitest";
import { createScratch, generationOf, refusalOf } from "./outcomes.ts";

const authority = createTestAuthority();
// Whatever is seen below is seen by watching.
const never = 3_600_000;

test("a swap of ..data is taken at once, however long others settle, with the old directory left or not", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  await using source = await watchFiles({ directory: volume.directory, settleMs: never, pollMs: never });
  for (const keepOld of [false, true, true, false]) {
    const number = source.current().number + 1;
    await generationOf(
      source,
      (generation) => generation.number === number,
      () => volume.write(authority.issue().files(), { keepOld }),
    );
  }
});

test("a symbolic link swapped to another release is taken at once", async () => {
  await using scratch = await createScratch();
  const current = join(scratch.path, "current");
  await writePlainFiles(join(scratch.path, "releases", "1", "tls"), authority.issue().files());
  await symlink("releases/1", current);
  await using source = await watchFiles({ directory: join(current, "tls"), settleMs: never, pollMs: never });
  for (const release of ["2", "3"]) {
    await writePlainFiles(join(scratch.path, "releases", release, "tls"), authority.issue().files());
    await generationOf(
      source,
      ({ number }) => number === Number(release),
      async () => {
        await symlink(`releases/${release}`, `${current}.new`);
        await rename(`${current}.new`, current);
      },
    );
  }
  expect(source.status().refusals).toEqual({});
});

test("a volume whose directory is replaced again and again is followed", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  await using source = await watchFiles({ directory: volume.directory, settleMs: 20, pollMs: never });
  for (let number = 2; number < 12; number += 2) {
    const replaced = authority.issue();
    await generationOf(
      source,
      ({ leaf }) => leaf.sha256 === replaced.certificate.sha256,
      () => replaceDirectory(volume, replaced.files()),
    );
    const inside = authority.issue();
    await generationOf(
      source,
      ({ leaf }) => leaf.sha256 === inside.certificate.sha256,
      () => volume.write(inside.files()),
    );
  }
});

test("a directory deleted and made again under the same name is followed", async () => {
  await using scratch = await createScratch();
  const directory = join(scratch.path, "tls");
  await writePlainFiles(directory, authority.issue().files());
  await using source = await watchFiles({ directory, settleMs: 20, pollMs: never });
  for (let round = 0; round < 3; round++) {
    const refusal = await refusalOf(source, "missing", () => rm(directory, { recursive: true }));
    expect(refusal.message).toMatch(/tls.crt is missing/);
    const identity = authority.issue();
    await generationOf(
      source,
      ({ leaf }) => leaf.sha256 === identity.certificate.sha256,
      () => writePlainFiles(directory, identity.files(), { each: "rename" }),
    );
  }
  expect(source.status()).toMatchObject({ stale: false, refusals: { missing: 3 }, updates: 4 });
});

test("a source may start before its directory exists", async () => {
  await using scratch = await createScratch();
  const directory = join(scratch.path, "not", "yet", "tls");
  const starting = watchFiles({ directory, settleMs: 20, pollMs: never });
  await mkdir(join(scratch.path, "not"));
  await mkdir(join(scratch.path, "not", "yet"));
  const identity = authority.issue();
  await writePlainFiles(directory, identity.files());
  await using source = await starting;
  expect(source.current().leaf.sha256).toBe(identity.certificate.sha256);
});

test("certificate, key and bundle in volumes of their own are followed each", async () => {
  await using scratch = await createScratch();
  await using pair = await createAtomicVolume(join(scratch.path, "pair"));
  await using bundle = await createAtomicVolume(join(scratch.path, "bundle"));
  const identity = authority.issue();
  await pair.write({ "tls.crt": identity.chainPem, "tls.key": identity.keyPem });
  await bundle.write({ "trust.pem": authority.trustPem });
  await using source = await watchFiles({
    certificate: join(pair.directory, "tls.crt"),
    key: join(pair.directory, "tls.key"),
    trust: join(bundle.directory, "trust.pem"),
    pollMs: never,
  });
  const { bothPem } = authority.roll();
  const widened = await generationOf(
    source,
    ({ trust }) => trust.certificates.length === 2,
    () => bundle.write({ "trust.pem": bothPem }),
  );
  expect(widened.leaf.sha256).toBe(identity.certificate.sha256);
  const renewed = authority.issue();
  await generationOf(
    source,
    ({ leaf }) => leaf.sha256 === renewed.certificate.sha256,
    () => pair.write({ "tls.crt": renewed.chainPem, "tls.key": renewed.keyPem }),
  );
});
