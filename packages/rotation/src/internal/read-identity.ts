import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { TrustBundle } from "@newleaf/x509";
import type { IdentityMaterial } from "../identity-material.ts";
import type { RefusalCode } from "../identity-source.ts";

/** Where the parts of an identity are: absolute paths, possibly in different directories. */
export interface IdentityPaths {
  readonly certificate: string;
  readonly key: string;
  /** Or the anchors themselves, which no file has. */
  readonly trust: string | TrustBundle;
  readonly crl: string | undefined;
}

/** The files among them. */
export function partsOf({ certificate, key, trust, crl }: IdentityPaths): readonly string[] {
  return [certificate, key, trust, crl].filter((part) => typeof part === "string");
}

export type ReadOutcome = Snapshot | ReadFailure;

interface Snapshot {
  readonly ok: true;
  readonly material: IdentityMaterial;
  /** Equal for equal contents. */
  readonly digest: string;
  /** The directories read from, links resolved: another origin means that a whole directory was swapped. */
  readonly origin: string;
  /** Certificate and key come from one AtomicWriter snapshot, so that they cannot be torn. */
  readonly atomic: boolean;
}

interface ReadFailure {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly message: string;
  /** The code and message, comparable with a snapshot's digest. */
  readonly digest: string;
}

/** Swaps that may pass by while one snapshot is read, before what was found last is the answer. */
const MOST_SWAPS = 100;

/**
 * Reads all parts at one moment. An AtomicWriter volume (kubelet, CSI drivers) is resolved through `..data` first
 * and then read inside the directory found, and so is a symbolic link to a directory: by path, one part could come
 * from before a swap and the next from after it. A directory deleted while it is read is resolved again.
 *
 * Synchronous on purpose: four small files, in practice on tmpfs, take a tenth of a millisecond, while five turns
 * of a loop that is busy with handshakes take tens. Nothing here can block on what is not a regular file.
 */
export function readIdentity(
  paths: IdentityPaths,
  maxBytes: number,
  readFile: ReadFile = readBounded,
): ReadOutcome {
  let directories = resolveDirectories(paths);
  for (let swaps = 0; ; swaps++) {
    const outcome = readParts(paths, directories, maxBytes, readFile);
    if (outcome.ok && [...directories.values()].every(({ atomic }) => atomic)) return outcome;
    if (!outcome.ok && outcome.code !== "missing" && outcome.code !== "crl_missing") return outcome;
    // What was missing may have been deleted by a swap; what was a plain directory may have become a volume.
    const again = resolveDirectories(paths);
    if (originOf(again) === originOf(directories) || swaps === MOST_SWAPS) return outcome;
    directories = again;
  }
}

interface Directory {
  /** As resolved; undefined when it does not exist. */
  readonly path: string | undefined;
  readonly atomic: boolean;
}

function resolveDirectories(paths: IdentityPaths): Map<string, Directory> {
  const directories = new Map<string, Directory>();
  for (const path of partsOf(paths)) {
    const directory = dirname(path);
    if (!directories.has(directory)) directories.set(directory, resolveDirectory(directory));
  }
  return directories;
}

function resolveDirectory(directory: string): Directory {
  const path = unlessMissing(() => realpathSync.native(directory));
  if (path === undefined) return { path, atomic: false };
  // Not realpath: it fails when the target is deleted meanwhile, and the volume would pass for a plain directory.
  const data = unlessMissing(() => readlinkSync(join(path, "..data")));
  return data === undefined ? { path, atomic: false } : { path: resolve(path, data), atomic: true };
}

function unlessMissing(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function readParts(
  paths: IdentityPaths,
  directories: ReadonlyMap<string, Directory>,
  maxBytes: number,
  readFile: ReadFile,
): ReadOutcome {
  const contents: Buffer[] = [];
  for (const path of partsOf(paths)) {
    const directory = directories.get(dirname(path))?.path;
    if (directory === undefined) return missing(path, paths);
    const content = readPart(join(directory, basename(path)), path, maxBytes, readFile);
    if (content === "missing") return missing(path, paths);
    if (!Buffer.isBuffer(content)) return content;
    contents.push(content);
  }
  const [certificates, key, ...others] = contents;
  const trust = typeof paths.trust === "string" ? others.shift() : paths.trust;
  const [crls] = others;
  if (!certificates || !key || !trust) throw new TypeError("an identity has three parts");
  return {
    ok: true,
    material: { certificates, key, trust, ...(crls && { crls }) },
    digest: digestOf(contents),
    origin: originOf(directories),
    atomic: dirname(paths.certificate) === dirname(paths.key) && isAtomic(directories, paths.certificate),
  };
}

function isAtomic(directories: ReadonlyMap<string, Directory>, path: string): boolean {
  return directories.get(dirname(path))?.atomic === true;
}

function readPart(
  resolved: string,
  path: string,
  maxBytes: number,
  readFile: ReadFile,
): Buffer | ReadFailure | "missing" {
  try {
    const content = readFile(resolved, maxBytes);
    if (content === "irregular") return failure("unreadable", `${path} is not a regular file`);
    if (content === "too large") return failure("too_large", `${path} has more than ${maxBytes} octets`);
    return content;
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return "missing";
    return failure("unreadable", `${path} cannot be read (${error.code})`);
  }
}

function missing(path: string, paths: IdentityPaths): ReadFailure {
  return failure(path === paths.crl ? "crl_missing" : "missing", `${path} is missing`);
}

/** Reads one file of a resolved directory; throws what the file system says. */
export type ReadFile = (path: string, maxBytes: number) => Buffer | "irregular" | "too large";

function readBounded(path: string, maxBytes: number): ReturnType<ReadFile> {
  // O_NONBLOCK: opening a FIFO without a writer would wait for one.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) return "irregular";
    if (stat.size > maxBytes) return "too large";
    // Room for one more than it had, to notice that it grew.
    const content = Buffer.alloc(stat.size + 1);
    let length = 0;
    while (length < content.length) {
      const count = readSync(file, content, length, content.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return content.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function failure(code: RefusalCode, message: string): ReadFailure {
  return { ok: false, code, message, digest: `${code} ${message}` };
}

function digestOf(contents: readonly Buffer[]): string {
  const hash = createHash("sha256");
  for (const content of contents) hash.update(`${content.length}:`).update(content);
  return hash.digest("hex");
}

function originOf(directories: ReadonlyMap<string, Directory>): string {
  return [...directories.values()].map((directory) => directory.path ?? "").join("\n");
}
