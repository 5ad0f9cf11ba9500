import { closeSync, fchmodSync, fchownSync, openSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { OutputFile } from "./file-set.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Writes a file that must not exist yet, with its owner and its mode. */
export function writeNewFile(path: string, { content, mode }: OutputFile, owner: Owner | undefined): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeFileSync(file, content);
    // Before the mode: a change of owner takes set-id bits away.
    if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
    fchmodSync(file, mode);
  } finally {
    closeSync(file);
  }
}

/** Waits until the disk has these files, and the names in these directories. */
export async function syncAll(paths: readonly string[]): Promise<void> {
  const results = await Promise.allSettled(paths.map(sync));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function sync(path: string): Promise<void> {
  const file = await openOwn(path);
  try {
    await file?.sync();
  } finally {
    await file?.close();
  }
}

/** A file of another owner may be closed to us by now; the kernel writes it out in its own time. */
async function openOwn(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EACCES") return undefined;
    throw error;
  }
}
