import { lstat, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAtomicVolume } from "./atomic-volume.ts";
import {
  copyLikeSubPath,
  deleteFiles,
  replaceDirectory,
  withoutDataLink,
  writeEmpty,
  writeHalf,
  writePlainFiles,
  writeTornPair,
  writeUnreadable,
} from "./hostile-writers.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "newleaf-volume-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const read = (name: string) => readFile(join(root, "v", name), "utf8");

test("a write swaps all files at once and leaves one timestamped directory", async () => {
  await using volume = await createAtomicVolume(join(root, "v"));
  const first = await volume.write({ "tls.crt": "c1", "tls.key": "k1" });
  const second = await volume.write({ "tls.crt": "c2", "tls.key": "k2" });
  expect([first.changed, second.changed]).toEqual([true, true]);
  expect(await readlink(join(root, "v", "tls.crt"))).toBe("..data/tls.crt");
  expect(await readlink(join(root, "v", "..data"))).toMatch(/^\.\.\d{4}(_\d\d){5}\.\w+$/);
  expect([await read("tls.crt"), await read("tls.key")]).toEqual(["c2", "k2"]);
  expect((await readdir(join(root, "v"))).filter((name) => name.startsWith("..2"))).toHaveLength(1);
  expect((await lstat(join(second.dataDirectory, "tls.key"))).mode & 0o777).toBe(0o600);
});

test("identical content changes nothing", async () => {
  await using volume = await createAtomicVolume(join(root, "v"));
  const first = await volume.write({ "tls.crt": "c1" });
  const again = await volume.write({ "tls.crt": "c1" });
  expect(again).toMatchObject({ changed: false, dataDirectory: first.dataDirectory });
});

test("files that vanish lose their link, nested files are reached through their directory", async () => {
  await using volume = await createAtomicVolume(join(root, "v"));
  await volume.write({ "a/one": "1", "a/two": "2", b: "3" });
  await volume.write({ "a/one": "1" });
  expect((await readdir(join(root, "v"))).filter((name) => !name.startsWith(".."))).toEqual(["a"]);
  expect(await read("a/one")).toBe("1");
  expect(Object.keys(await volume.files())).toEqual(["a/one"]);
});

test("keepOld leaves the previous directory in place", async () => {
  await using volume = await createAtomicVolume(join(root, "v"));
  const first = await volume.write({ f: "1" });
  await volume.write({ f: "2" }, { keepOld: true });
  expect(await readFile(join(first.dataDirectory, "f"), "utf8")).toBe("1");
  expect(await read("f")).toBe("2");
});

test("hostile writers leave what they say they leave", async () => {
  await using volume = await createAtomicVolume(join(root, "v"));
  await volume.write({ "tls.crt": "c1", "tls.key": "k1" });
  await writeTornPair(volume, { "tls.crt": "c2", "tls.key": "k2" });
  expect([await read("tls.crt"), await read("tls.key")]).toEqual(["c2", "k1"]);
  await writeHalf(volume, "tls.crt");
  expect(await read("tls.crt")).toBe("c");
  await writeEmpty(volume, "tls.crt", "tls.key");
  expect([await read("tls.crt"), await read("tls.key")]).toEqual(["", ""]);
  await writeUnreadable(volume, "tls.key");
  await expect(read("tls.key")).rejects.toMatchObject({ code: "EISDIR" });
  await deleteFiles(volume);
  expect(await readdir(join(root, "v"))).toEqual([]);
  await volume.write({ "tls.crt": "c3", "tls.key": "k3" });
  expect(await read("tls.key")).toBe("k3");
});

test("a replaced directory is another inode with the content given", async () => {
  await using volume = await createAtomicVolume(join(root, "v"));
  await volume.write({ f: "1" });
  const before = (await lstat(join(root, "v"))).ino;
  await replaceDirectory(volume, { f: "2" });
  expect((await lstat(join(root, "v"))).ino).not.toBe(before);
  expect(await read("f")).toBe("2");
  expect(await readdir(root)).toEqual(["v"]);
});

test("..data comes back when the gap is disposed", async () => {
  await using volume = await createAtomicVolume(join(root, "v"));
  await volume.write({ f: "1" });
  {
    await using _gap = await withoutDataLink(volume);
    await expect(read("f")).rejects.toMatchObject({ code: "ENOENT" });
  }
  expect(await read("f")).toBe("1");
});

test("a subPath-like copy keeps the files of the start", async () => {
  await using volume = await createAtomicVolume(join(root, "v"));
  await volume.write({ f: "1" });
  await copyLikeSubPath(volume, join(root, "sub"));
  await volume.write({ f: "2" });
  expect(await readFile(join(root, "sub", "f"), "utf8")).toBe("1");
  expect((await lstat(join(root, "sub", "f"))).isFile()).toBe(true);
});

test("plain files are written in the order given, with a moment between them", async () => {
  const seen: string[] = [];
  const files = { "tls.crt": "c", "tls.key": "k", "ca.crt": "t" };
  await writePlainFiles(join(root, "p"), files, {
    order: ["tls.key"],
    each: "rename",
    between: (written) => void seen.push(written),
  });
  expect(seen).toEqual(["tls.key", "tls.crt"]);
  expect(await readdir(join(root, "p"))).toEqual(["ca.crt", "tls.crt", "tls.key"]);
});
