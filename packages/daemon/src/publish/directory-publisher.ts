import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { DaemonError } from "../error.ts";
import type { FilePublisher, FilePublisherOptions, PublisherWords } from "./file-publisher.ts";
import type { FileSet, OutputFile } from "./file-set.ts";
import { unsettledError, writeError } from "./write-error.ts";
import { type Owner, syncAll, writeNewFile } from "./write-new-file.ts";

const DATA = "..data";
const DATA_TMP = "..data_tmp";
/** Distinguishes our directories from those of the kubelet. */
const PREFIX = "..newleaf_";

/**
 * The layout of Kubernetes' volumes: the files lie in a directory of their own, `..data` is a link to it, and the names
 * are links through `..data`. One rename replaces all of them, so there is no moment at which the directory holds
 * files of two updates.
 *
 * Synchronous up to the rename: these are a few small files, and a turn through the thread pool for each step would take
 * longer than all of them. The disk is waited for afterwards, which readers need not: what a crash of the machine leaves
 * is replaced before anything is reported.
 */
export function createDirectoryPublisher(options: FilePublisherOptions): FilePublisher {
  const { directory, owner, groupOf, words } = options;
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
        const previous = currentTarget(directory);
        const ours = previous === undefined || previous.startsWith(PREFIX);
        if (!ours || (last !== undefined && previous !== last)) throw foreignWriter(directory, words);
        found ??= previous === undefined ? new Map() : readTree(join(directory, previous));
        const plain = readPlainFiles(directory, files);
        if (plain.size > 0) {
          // Plain files become links with the same content first, so that the swap replaces all of them at once.
          last = swap(directory, merge(found, plain), owner);
          link(directory, plain);
        }
        const before = groups.get(group);
        groups.set(group, files);
        const next = merge(found, files);
        try {
          last = swap(directory, next, owner);
        } catch (error) {
          if (before === undefined) groups.delete(group);
          else groups.set(group, before);
          throw error;
        }
        link(directory, next);
        unlinkVanished(directory, next);
      } catch (error) {
        throw writeError(directory, error, words);
      }
      const written = join(directory, last);
      try {
        await syncAll([...[...files.keys()].map((name) => join(written, name)), written, directory]);
        removeSwappedDirectories(directory, last);
      } catch (error) {
        throw unsettledError(directory, error, words);
      }
    },
  };
}

/** Removes our directories but the current one, with the keys in them; without a current one, `..data` too. */
export function removeSwappedDirectories(directory: string, current: string | undefined): void {
  if (current === undefined) {
    const target = currentTarget(directory);
    if (target === undefined || !target.startsWith(PREFIX)) return;
    rmSync(join(directory, DATA), { force: true });
  }
  const names = readdirSync(directory);
  for (const name of names) {
    if (name.startsWith(PREFIX) && name !== current)
      rmSync(join(directory, name), { recursive: true, force: true });
  }
}

function currentTarget(directory: string): string | undefined {
  return targetOf(join(directory, DATA));
}

/** Undefined for what is no link, or is not there. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function foreignWriter(directory: string, words: PublisherWords): DaemonError {
  return new DaemonError("ERR_DAEMON_WRITE", `another program publishes into ${directory}`, {
    hint: `give each its own ${words.directory}, or set ${words.plainFiles} for both`,
  });
}

/** Files that are no links yet, as spiffe-helper has left them. */
function readPlainFiles(directory: string, files: FileSet): FileSet {
  const plain = new Map<string, OutputFile>();
  for (const name of files.keys()) {
    const path = join(directory, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() === true) plain.set(name, { content: readFileSync(path), mode: stat.mode & 0o7777 });
  }
  return plain;
}

/** Writes a new directory and makes `..data` point to it; removes it again when that fails. */
function swap(directory: string, files: FileSet, owner: Owner | undefined): string {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-T:]/g, "_");
  const path = mkdtempSync(join(directory, `${PREFIX}${stamp}.`));
  try {
    for (const folder of new Set([...files.keys()].map((name) => dirname(name)))) {
      if (folder !== ".") mkdirSync(join(path, folder), { recursive: true, mode: 0o755 });
    }
    for (const [name, file] of files) writeNewFile(join(path, name), file, owner);
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    // What is in it is guarded by its own mode; whoever may read the certificates must get there.
    chmodSync(path, 0o755);
    rmSync(join(directory, DATA_TMP), { force: true });
    symlinkSync(basename(path), join(directory, DATA_TMP));
    renameSync(join(directory, DATA_TMP), join(directory, DATA));
    return basename(path);
  } catch (error) {
    removeQuietly(path);
    throw error;
  }
}

/** The first error is the one to be told of. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {}
}

/** Makes every name a link through `..data`, in place of whatever has that name. */
function link(directory: string, files: FileSet): void {
  for (const name of files.keys()) {
    const path = join(directory, name);
    const target = relative(dirname(path), join(directory, DATA, name));
    if (targetOf(path) === target) continue;
    const temporary = join(dirname(path), `.${basename(name)}.newleaf-link`);
    rmSync(temporary, { force: true });
    symlinkSync(target, temporary);
    renameSync(temporary, path);
  }
}

/** Links through `..data` that lead nowhere now: their files are gone from the set. */
function unlinkVanished(directory: string, files: FileSet): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isSymbolicLink() || entry.name === DATA || files.has(entry.name)) continue;
    const target = targetOf(join(directory, entry.name));
    if (target === join(DATA, entry.name)) rmSync(join(directory, entry.name), { force: true });
  }
}

function readTree(root: string): FileSet {
  const files = new Map<string, OutputFile>();
  if (!existsSync(root)) return files;
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { mode } = lstatSync(path);
    files.set(relative(root, path), { content: readFileSync(path), mode: mode & 0o7777 });
  }
  return files;
}
