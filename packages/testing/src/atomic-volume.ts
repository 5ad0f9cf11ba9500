import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { writeTree } from "./internal/tree.ts";

/** Files of a volume by path relative to it, for example `tls.crt` or `keys/tls.key`. */
export type VolumeFiles = Readonly<Record<string, string | Uint8Array>>;

export interface WriteOptions {
  /** Leave the previous timestamped directory in place, as some writers do (certwatcher then misses the swap). */
  readonly keepOld?: boolean;
}

/** What one write did; `swappedAt` is the wall clock just after `..data` moved. */
export interface WriteResult {
  readonly changed: boolean;
  readonly swappedAt: Date;
  /** The timestamped directory that `..data` points to. */
  readonly dataDirectory: string;
}

/** A directory written as the kubelet writes Secret, ConfigMap, projected, and csi-lib volumes. */
export interface AtomicVolume extends AsyncDisposable {
  readonly directory: string;
  /** Publishes exactly these files; identical content changes nothing. Calls are taken one after the other. */
  write(files: VolumeFiles, options?: WriteOptions): Promise<WriteResult>;
  /** What is published now; empty before the first write. */
  files(): Promise<Record<string, Buffer>>;
  /** Runs a task with no write beside it: what the hostile writers build on. */
  exclusive<T>(task: () => Promise<T>): Promise<T>;
}

const DATA = "..data";
const DATA_TMP = "..data_tmp";

/**
 * Creates `directory` and writes it in the sequence of Kubernetes' AtomicWriter: a new `..<timestamp>` directory,
 * symlink `..data_tmp`, rename to `..data`, symlinks the user sees, then the previous directory is removed.
 * Disposal removes the directory. `mode` is that of the files (0600: keys are among them).
 */
export async function createAtomicVolume(
  directory: string,
  options: { readonly mode?: number } = {},
): Promise<AtomicVolume> {
  const mode = options.mode ?? 0o600;
  await mkdir(directory, { recursive: true });
  let tail: Promise<unknown> = Promise.resolve();
  const exclusive = <T>(task: () => Promise<T>): Promise<T> => {
    const run = tail.then(task);
    tail = run.catch(() => undefined);
    return run;
  };
  return {
    directory,
    exclusive,
    write: (files, writeOptions) => exclusive(() => writeAtomically(directory, files, mode, writeOptions)),
    files: () => exclusive(() => readPublished(directory)),
    [Symbol.asyncDispose]: () => exclusive(() => rm(directory, { recursive: true, force: true })),
  };
}

async function writeAtomically(
  directory: string,
  files: VolumeFiles,
  mode: number,
  options: WriteOptions = {},
): Promise<WriteResult> {
  const previous = await readlink(join(directory, DATA)).catch(() => undefined);
  const published = await readPublished(directory);
  if (previous !== undefined && sameFiles(published, files)) {
    return { changed: false, swappedAt: new Date(), dataDirectory: join(directory, previous) };
  }
  const dataDirectory = await mkdtemp(join(directory, `..${timestamp(new Date())}.`));
  await writeTree(dataDirectory, files, mode);
  await rm(join(directory, DATA_TMP), { force: true });
  await symlink(basename(dataDirectory), join(directory, DATA_TMP));
  await rename(join(directory, DATA_TMP), join(directory, DATA));
  const swappedAt = new Date();
  await linkVisible(directory, Object.keys(files));
  await unlinkVanished(directory, Object.keys(published), Object.keys(files));
  if (previous !== undefined && options.keepOld !== true) {
    await rm(join(directory, previous), { recursive: true, force: true });
  }
  return { changed: true, swappedAt, dataDirectory };
}

/** `2030_01_31_23_59_59`, as the kubelet names its directories; mkdtemp adds the random part. */
function timestamp(now: Date): string {
  return now.toISOString().slice(0, 19).replaceAll(/[-T:]/g, "_");
}

/** The first path component of each file is what the user sees: `keys/tls.key` is reached through `keys`. */
function visibleNames(paths: readonly string[]): ReadonlySet<string> {
  return new Set(paths.map((path) => path.split("/")[0] ?? path));
}

async function linkVisible(directory: string, paths: readonly string[]): Promise<void> {
  for (const name of visibleNames(paths)) {
    const link = join(directory, name);
    const exists = await lstat(link).then(
      () => true,
      () => false,
    );
    if (!exists) await symlink(join(DATA, name), link);
  }
}

async function unlinkVanished(
  directory: string,
  before: readonly string[],
  after: readonly string[],
): Promise<void> {
  const kept = visibleNames(after);
  for (const name of visibleNames(before)) {
    if (!kept.has(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function readPublished(directory: string): Promise<Record<string, Buffer>> {
  const target = await readlink(join(directory, DATA)).catch(() => undefined);
  if (target === undefined) return {};
  const root = join(directory, target);
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const files: Record<string, Buffer> = {};
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[path.slice(root.length + 1)] = await readFile(path);
  }
  return files;
}

function sameFiles(published: Readonly<Record<string, Buffer>>, files: VolumeFiles): boolean {
  const names = Object.keys(files);
  if (Object.keys(published).length !== names.length) return false;
  return names.every((name) => published[name]?.equals(Buffer.from(files[name] ?? "")) === true);
}
