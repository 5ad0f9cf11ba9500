import { open } from "node:fs/promises";
import type { OutputFile } from "./file-set.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface NewFile {
  readonly path: string;
  readonly file: OutputFile;
}

/**
 * Writes files that must not exist yet, and waits until the disk has them. All
 * at a time, since waiting for the disk is most of it. When it fails, nothing is being written any more.
 */
export async function writeNewFiles(files: readonly NewFile[], owner: Owner | undefined): Promise<void> {
  const results = await Promise.allSettled(files.map(({ path, file }) => writeNewFile(path, file, owner)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Writes a file that must not exist yet, with its owner and its mode, and waits until the disk has it. */
async function writeNewFile(
  path: string,
  { content, mode }: OutputFile,
  owner: Owner | undefined,
): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    // Before the mode: a change of owner takes set-id bits away.
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes what was renamed in a directory survive a crash. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
