import { cp, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AtomicVolume, VolumeFiles, WriteResult } from "./atomic-volume.ts";
import { createAtomicVolume } from "./atomic-volume.ts";

/** Publishes `next`, but with the files named in `stale` as they were before: a torn pair, in one atomic swap. */
export async function writeTornPair(
  volume: AtomicVolume,
  next: VolumeFiles,
  stale: readonly string[] = ["tls.key"],
): Promise<WriteResult> {
  const before = await volume.files();
  const kept = stale.flatMap((name) => {
    const content = before[name];
    return content ? [[name, content] as const] : [];
  });
  return volume.write({ ...next, ...Object.fromEntries(kept) });
}

/** Publishes what is there with one file cut in the middle: for PEM a BEGIN line without its END. */
export async function writeHalf(volume: AtomicVolume, name: string): Promise<WriteResult> {
  const before = await volume.files();
  const content = before[name] ?? Buffer.alloc(0);
  return volume.write({ ...before, [name]: content.subarray(0, Math.floor(content.length / 2)) });
}

/** Publishes what is there with the files named emptied. */
export async function writeEmpty(volume: AtomicVolume, ...names: readonly string[]): Promise<WriteResult> {
  const before = await volume.files();
  return volume.write({ ...before, ...Object.fromEntries(names.map((name) => [name, ""])) });
}

/** Publishes what is there with a directory in place of one file: unreadable, to root as well. */
export async function writeUnreadable(volume: AtomicVolume, name: string): Promise<WriteResult> {
  const { [name]: _dropped, ...before } = await volume.files();
  return volume.write({ ...before, [`${name}/not-a-file`]: "" });
}

/** Deletes everything in the volume and leaves the directory itself. */
export function deleteFiles(volume: AtomicVolume): Promise<void> {
  return volume.exclusive(async () => {
    for (const name of await readdir(volume.directory)) {
      await rm(join(volume.directory, name), { recursive: true, force: true });
    }
  });
}

/** Replaces the directory itself by a new one (another inode) holding `files`, or what was there. */
export async function replaceDirectory(volume: AtomicVolume, files?: VolumeFiles): Promise<void> {
  const content = files ?? (await volume.files());
  const next = await createAtomicVolume(`${volume.directory}.next`);
  await next.write(content);
  await volume.exclusive(async () => {
    await rename(volume.directory, `${volume.directory}.old`);
    await rename(next.directory, volume.directory);
    await rm(`${volume.directory}.old`, { recursive: true, force: true });
  });
}

/** Takes `..data` away until the result is disposed: files that exist and lead nowhere. */
export async function withoutDataLink(volume: AtomicVolume): Promise<AsyncDisposable> {
  const link = join(volume.directory, "..data");
  const target = await volume.exclusive(async () => {
    const name = await readlink(link);
    await rm(link);
    return name;
  });
  return {
    [Symbol.asyncDispose]: () =>
      volume.exclusive(() => symlink(target, link).catch((error) => ignoreExisting(error))),
  };
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

/**
 * Copies what is published into `target` as plain files, and never again: what a container sees through a
 * `subPath` mount, whose files stay those of the start.
 */
export async function copyLikeSubPath(volume: AtomicVolume, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await cp(join(volume.directory, "..data"), target, { recursive: true, dereference: true });
}

/** How a plain directory is written: one file after the other, with time for a reader between them. */
export interface PlainWriteOptions {
  /** Order of the files; those not named come last, as given. */
  readonly order?: readonly string[];
  /** `truncate` writes in place (a reader may see half a file), `rename` swaps each file as a whole. */
  readonly each?: "truncate" | "rename";
  /** Runs after each file but the last, while the directory holds a mixture. */
  readonly between?: (written: string) => Promise<void> | void;
}

/** Writes files into a plain directory one by one, as scripts, spiffe-helper, and certbot hooks do. */
export async function writePlainFiles(
  directory: string,
  files: VolumeFiles,
  options: PlainWriteOptions = {},
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const names = [...new Set([...(options.order ?? []), ...Object.keys(files)])].filter(
    (name) => name in files,
  );
  for (const [index, name] of names.entries()) {
    const path = join(directory, name);
    if (options.each === "rename") {
      await writeFile(`${path}.tmp`, files[name] ?? "", { mode: 0o600 });
      await rename(`${path}.tmp`, path);
    } else {
      await writeFile(path, files[name] ?? "", { mode: 0o600 });
    }
    if (index < names.length - 1) await options.between?.(name);
  }
}
