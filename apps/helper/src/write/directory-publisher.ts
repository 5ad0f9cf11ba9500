import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { HelperError } from "../error.ts";
import type { FileSet, OutputFile } from "./file-set.ts";
import type { Publisher, PublisherOptions } from "./publisher.ts";
import { writeError } from "./write-error.ts";
import { type Owner, syncDirectory, writeNewFiles } from "./write-new-file.ts";

const DATA = "..data";
const DATA_TMP = "..data_tmp";
/** Distinguishes our directories from those of the kubelet. */
const PREFIX = "..newleaf_";

/**
 * The layout of Kubernetes' volumes: the files lie in a directory of their own, `..data` is a link to it, and the names
 * are links through `..data`. One rename replaces all of them, so there is no moment at which the directory holds
 * files of two updates.
 */
export function createDirectoryPublisher({ directory, owner, groupOf }: PublisherOptions): Publisher {
  const groups = new Map<string, FileSet>();
  /** What an earlier run published, until the group that it belongs to is published again. */
  let found: FileSet | undefined;
  let last: string | undefined;

  const merge = (earlier: FileSet, more: FileSet): FileSet => {
    const kept = [...earlier].filter(([name]) => {
      const group = groupOf(name);
      return group !== undefined && !groups.has(group);
    });
    return new Map([...kept, ...[...groups.values()].flatMap((files) => [...files]), ...more]);
  };
  return {
    async publish(group, files) {
      try {
        const previous = await currentTarget(directory);
        const ours = previous === undefined || previous.startsWith(PREFIX);
        if (!ours || (last !== undefined && previous !== last)) throw foreignWriter(directory);
        found ??= previous === undefined ? new Map() : await readTree(join(directory, previous));
        const plain = await readPlainFiles(directory, files);
        if (plain.size > 0) {
          // Plain files become links with the same content first, so that the swap replaces all of them at once.
          last = await swap(directory, merge(found, plain), owner);
          await link(directory, plain);
        }
        const before = groups.get(group);
        groups.set(group, files);
        const next = merge(found, files);
        try {
          last = await swap(directory, next, owner);
        } catch (error) {
          if (before === undefined) groups.delete(group);
          else groups.set(group, before);
          throw error;
        }
        await link(directory, next);
        await unlinkVanished(directory, next);
        await removeSwappedDirectories(directory, last);
        await syncDirectory(directory);
      } catch (error) {
        throw writeError(directory, error);
      }
    },
  };
}

/** Removes our directories but the current one, with the keys in them; without a current one, `..data` too. */
export async function removeSwappedDirectories(
  directory: string,
  current: string | undefined,
): Promise<void> {
  if (current === undefined) {
    const target = await currentTarget(directory);
    if (target === undefined || !target.startsWith(PREFIX)) return;
    await rm(join(directory, DATA), { force: true });
  }
  const names = await readdir(directory);
  for (const name of names) {
    if (name.startsWith(PREFIX) && name !== current)
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function currentTarget(directory: string): Promise<string | undefined> {
  return readlink(join(directory, DATA)).catch(() => undefined);
}

function foreignWriter(directory: string): HelperError {
  return new HelperError("ERR_HELPER_WRITE", `another program publishes into ${directory}`, {
    hint: 'give each its own cert_dir, or set publish = "files" for both',
  });
}

/** Files that are no links yet, as spiffe-helper has left them. */
async function readPlainFiles(directory: string, files: FileSet): Promise<FileSet> {
  const plain = new Map<string, OutputFile>();
  for (const name of files.keys()) {
    const path = join(directory, name);
    const stat = await lstat(path).catch(() => undefined);
    if (stat?.isFile() === true) plain.set(name, { content: await readFile(path), mode: stat.mode & 0o7777 });
  }
  return plain;
}

/** Writes a new directory and makes `..data` point to it; removes it again when that fails. */
async function swap(directory: string, files: FileSet, owner: Owner | undefined): Promise<string> {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-T:]/g, "_");
  const path = await mkdtemp(join(directory, `${PREFIX}${stamp}.`));
  try {
    for (const folder of new Set([...files.keys()].map((name) => dirname(name)))) {
      if (folder !== ".") await mkdir(join(path, folder), { recursive: true, mode: 0o755 });
    }
    await writeNewFiles(
      [...files].map(([name, file]) => ({ path: join(path, name), file })),
      owner,
    );
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
    // What is in it is guarded by its own mode; whoever may read the certificates must get there.
    await chmod(path, 0o755);
    await syncDirectory(path);
    await rm(join(directory, DATA_TMP), { force: true });
    await symlink(basename(path), join(directory, DATA_TMP));
    await rename(join(directory, DATA_TMP), join(directory, DATA));
    return basename(path);
  } catch (error) {
    await rm(path, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/** Makes every name a link through `..data`, in place of whatever has that name. */
async function link(directory: string, files: FileSet): Promise<void> {
  for (const name of files.keys()) {
    const path = join(directory, name);
    const target = relative(dirname(path), join(directory, DATA, name));
    if ((await readlink(path).catch(() => undefined)) === target) continue;
    const temporary = join(dirname(path), `.${basename(name)}.newleaf-link`);
    await rm(temporary, { force: true });
    await symlink(target, temporary);
    await rename(temporary, path);
  }
}

/** Links through `..data` that lead nowhere now: their files are gone from the set. */
async function unlinkVanished(directory: string, files: FileSet): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isSymbolicLink() || entry.name === DATA || files.has(entry.name)) continue;
    const target = await readlink(join(directory, entry.name)).catch(() => "");
    if (target === join(DATA, entry.name)) await rm(join(directory, entry.name), { force: true });
  }
}

async function readTree(root: string): Promise<FileSet> {
  const files = new Map<string, OutputFile>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { mode } = await lstat(path);
    files.set(relative(root, path), { content: await readFile(path), mode: mode & 0o7777 });
  }
  return files;
}
