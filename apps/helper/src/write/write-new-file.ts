import { open } from "node:fs/promises";
import type { OutputFile } from "./file-set.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Writes a file that must not exist yet, with its owner and its mode, and waits until the disk has it. */
export async function writeNewFile(
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
