import { execFileSync } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DaemonError } from "../error.ts";
import { createFilePublisher, type FilePublisher, type FilePublisherOptions } from "./file-publisher.ts";
import type { FileSet } from "./file-set.ts";

const isRoot = process.getuid?.() === 0;

function pair(version: number, keyMode = 0o600): FileSet {
  return new Map([
    ["bundle.pem", { content: `bundle ${version}`, mode: 0o644 }],
    ["key.pem", { content: `${"k".repeat(5_000)} ${version}`, mode: keyMode }],
    ["svid.pem", { content: `${"c".repeat(9_000)} ${version}`, mode: 0o644 }],
  ]);
}

async function folder() {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-publish-"));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

function publisherFor(directory: string, options: Partial<FilePublisherOptions> = {}): FilePublisher {
  const groupOf = (name: string) => (name.endsWith(".token") ? "jwt" : "x509");
  const words = { directory: "cert_dir", plainFiles: 'publish = "files"', owner: "file_owner" };
  return createFilePublisher({ directory, how: "directory", owner: undefined, words, groupOf, ...options });
}

const version = (text: string) => Number(text.split(" ").at(-1));

async function refusal(run: Promise<void>): Promise<DaemonError> {
  const error: unknown = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof DaemonError) return error;
  throw new Error("it was published");
}

for (const how of ["directory", "files"] as const) {
  test(`issue #422 (${how}): modes are applied at every write, 0444 included, whatever the umask`, async () => {
    await using place = await folder();
    const publisher = publisherFor(place.directory, { how });
    for (const mode of [0o444, 0o444, 0o640, 0o666]) {
      await publisher.publish("x509", pair(1, mode));
      expect((await stat(join(place.directory, "key.pem"))).mode & 0o7777).toBe(mode);
    }
  });

  test(`${how}: nothing is left beside the files, also of a run that was killed`, async () => {
    await using place = await folder();
    const names = how === "directory" ? ["..newleaf_2026_01_01_00_00_00.abc"] : [];
    for (const name of names) await mkdir(join(place.directory, name));
    if (how === "files") await writeFile(join(place.directory, ".key.pem.newleaf-tmp-aa"), "left");
    const publisher = publisherFor(place.directory, { how });
    for (const n of [1, 2, 3]) await publisher.publish("x509", pair(n));
    const left = (await readdir(place.directory)).filter((name) => name.startsWith("."));
    expect(left).toEqual(
      how === "directory" ? ["..data", await readlink(join(place.directory, "..data"))].sort() : [],
    );
    expect(version(await readFile(join(place.directory, "svid.pem"), "utf8"))).toBe(3);
  });

  test(`${how}: names that a group has no more are removed, those of another group stay`, async () => {
    await using place = await folder();
    const publisher = publisherFor(place.directory, { how });
    await publisher.publish("jwt", new Map([["a.token", { content: "a 1", mode: 0o600 }]]));
    await publisher.publish(
      "x509",
      new Map([...pair(1), ["other.org.pem", { content: "x 1", mode: 0o644 }]]),
    );
    await publisher.publish("x509", pair(2));
    const names = (await readdir(place.directory)).filter((name) => !name.startsWith(".."));
    expect(names.sort()).toEqual(["a.token", "bundle.pem", "key.pem", "svid.pem"]);
    expect(await readFile(join(place.directory, "a.token"), "utf8")).toBe("a 1");
  });

  test.runIf(isRoot)(`issue #183 (${how}): files get the owner that was asked for`, async () => {
    await using place = await folder();
    await publisherFor(place.directory, { how, owner: { uid: 12_345, gid: 54_321 } }).publish(
      "x509",
      pair(1),
    );
    const { uid, gid } = await stat(join(place.directory, "key.pem"));
    expect({ uid, gid }).toEqual({ uid: 12_345, gid: 54_321 });
  });

  test.runIf(isRoot)(
    `${how}: on a full disk the old files stay whole, the error says so, and it recovers`,
    async () => {
      await using place = await folder();
      const mounted = mountSmall(place.directory);
      if (!mounted) return;
      try {
        const publisher = publisherFor(place.directory, { how });
        await publisher.publish("x509", pair(1));
        await writeFile(join(place.directory, "filler"), Buffer.alloc(900_000)).catch(() => {});
        const big: FileSet = new Map([
          ...pair(2),
          ["svid.pem", { content: Buffer.alloc(500_000), mode: 0o644 }],
        ]);
        const error = await refusal(publisher.publish("x509", big));
        expect(error.code).toBe("ERR_DAEMON_WRITE");
        expect(error.message).toMatch(/the disk is full \(write\); the files there are as they were/);
        for (const name of ["bundle.pem", "key.pem", "svid.pem"]) {
          expect(version(await readFile(join(place.directory, name), "utf8"))).toBe(1);
        }
        await rm(join(place.directory, "filler"));
        await publisher.publish("x509", pair(3));
        expect(version(await readFile(join(place.directory, "svid.pem"), "utf8"))).toBe(3);
      } finally {
        execFileSync("umount", [place.directory]);
      }
    },
  );

  test(`${how}: a directory that does not exist is an error with advice, and is used once it does`, async () => {
    await using place = await folder();
    const directory = join(place.directory, "later");
    const publisher = publisherFor(directory, { how });
    const error = await refusal(publisher.publish("x509", pair(1)));
    expect(error.message).toMatch(/there is no such directory/);
    expect(error.hint).toMatch(/cert_dir must exist/);
    await mkdir(directory);
    await publisher.publish("x509", pair(2));
    expect(version(await readFile(join(directory, "svid.pem"), "utf8"))).toBe(2);
  });
}

function mountSmall(directory: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], { stdio: "ignore" });
    return true;
  } catch {
    process.stderr.write("skipped: no tmpfs can be mounted here\n");
    return false;
  }
}

test("defect: a reader that looks all the time never finds certificate and key of two updates", async () => {
  await using place = await folder();
  const publisher = publisherFor(place.directory);
  await publisher.publish("x509", pair(0));
  let stop = false;
  const seen = new Set<number>();
  let torn = 0;
  const reader = (async () => {
    while (!stop) {
      // What the directory holds at one moment: the link is followed once, then both files are read.
      const data = await realpath(join(place.directory, "..data"));
      const texts = await Promise.all(
        ["svid.pem", "key.pem", "bundle.pem"].map((name) =>
          readFile(join(data, name), "utf8").catch(() => undefined),
        ),
      );
      if (texts.some((text) => text === undefined)) continue;
      const versions = new Set(texts.map((text) => version(text ?? "")));
      if (versions.size !== 1) torn += 1;
      for (const each of versions) seen.add(each);
    }
  })();
  for (let n = 1; n <= 100; n++) await publisher.publish("x509", pair(n));
  stop = true;
  await reader;
  expect(torn).toBe(0);
  expect(seen.size).toBeGreaterThan(10);
});

for (const how of ["directory", "files"] as const) {
  test(`defect (${how}): a file that is read at any moment is whole, never empty or half written`, async () => {
    await using place = await folder();
    const publisher = publisherFor(place.directory, { how });
    await publisher.publish("x509", pair(0));
    let stop = false;
    let reads = 0;
    const reader = (async () => {
      while (!stop) {
        const text = await readFile(join(place.directory, "svid.pem"), "utf8").catch(() => undefined);
        // Between following the link and opening, the old directory may have gone: such a reader looks again.
        if (text === undefined && how === "directory") continue;
        expect(text).toMatch(/^c{9000} \d+$/);
        reads += 1;
      }
    })();
    for (let n = 1; n <= 60; n++) await publisher.publish("x509", pair(n));
    stop = true;
    await reader;
    expect(reads).toBeGreaterThan(20);
  });
}

test("upgrade: plain files of spiffe-helper become links without a moment of mismatch, and back with files", async () => {
  await using place = await folder();
  for (const name of ["bundle.pem", "key.pem", "svid.pem"])
    await writeFile(join(place.directory, name), "old 1");
  await writeFile(join(place.directory, "unrelated.txt"), "mine");
  await publisherFor(place.directory).publish("x509", pair(2));
  expect(await readlink(join(place.directory, "svid.pem"))).toBe("..data/svid.pem");
  expect(version(await readFile(join(place.directory, "key.pem"), "utf8"))).toBe(2);
  await publisherFor(place.directory, { how: "files" }).publish("x509", pair(3));
  expect((await lstat(join(place.directory, "svid.pem"))).isFile()).toBe(true);
  expect((await readdir(place.directory)).sort()).toEqual([
    "bundle.pem",
    "key.pem",
    "svid.pem",
    "unrelated.txt",
  ]);
  expect(await readFile(join(place.directory, "unrelated.txt"), "utf8")).toBe("mine");
});

test("a restart keeps the files of a group until that group is published again", async () => {
  await using place = await folder();
  const first = publisherFor(place.directory);
  await first.publish("jwt", new Map([["a.token", { content: "a 1", mode: 0o600 }]]));
  await first.publish("x509", new Map([...pair(1), ["gone.org.pem", { content: "x 1", mode: 0o644 }]]));
  const second = publisherFor(place.directory);
  await second.publish("x509", pair(2));
  expect(await readFile(join(place.directory, "a.token"), "utf8")).toBe("a 1");
  expect((await stat(join(place.directory, "a.token"))).mode & 0o777).toBe(0o600);
  expect(await readdir(place.directory)).not.toContain("gone.org.pem");
});

test("two programs that publish into one directory are told apart from one", async () => {
  await using place = await folder();
  const [one, other] = [publisherFor(place.directory), publisherFor(place.directory)];
  await one.publish("x509", pair(1));
  await other.publish("x509", pair(2));
  const error = await refusal(one.publish("x509", pair(3)));
  expect(error.message).toMatch(/another program publishes/);
});

test("a volume of the kubelet is not taken over", async () => {
  await using place = await folder();
  await mkdir(join(place.directory, "..2026_01_01_00_00_00.1"));
  await symlink("..2026_01_01_00_00_00.1", join(place.directory, "..data"));
  const error = await refusal(publisherFor(place.directory).publish("x509", pair(1)));
  expect(error.message).toMatch(/another program publishes/);
});

test("names in folders that exist are links too; names outside the directory are refused", async () => {
  await using place = await folder();
  await mkdir(join(place.directory, "sub"));
  const publisher = publisherFor(place.directory);
  await publisher.publish("x509", new Map([["sub/svid.pem", { content: "a 1", mode: 0o644 }]]));
  expect(await readFile(join(place.directory, "sub/svid.pem"), "utf8")).toBe("a 1");
  for (const name of ["../x.pem", "..", ".", "..data", "a/../../x"]) {
    const error = await refusal(publisher.publish("x509", new Map([[name, { content: "", mode: 0o644 }]])));
    expect(error.message).toMatch(/names no file inside cert_dir/);
  }
});

test("a link that points elsewhere is replaced, its target is not written to", async () => {
  await using place = await folder();
  await using elsewhere = await folder();
  await writeFile(join(elsewhere.directory, "victim"), "untouched");
  await symlink(join(elsewhere.directory, "victim"), join(place.directory, "svid.pem"));
  await publisherFor(place.directory).publish("x509", pair(1));
  expect(await readFile(join(elsewhere.directory, "victim"), "utf8")).toBe("untouched");
});

test.skipIf(isRoot)("a directory that may not be written is an error with advice", async () => {
  await using place = await folder();
  await chmod(place.directory, 0o500);
  const error = await refusal(publisherFor(place.directory).publish("x509", pair(1)));
  expect(error.message).toMatch(/permission denied/);
});
