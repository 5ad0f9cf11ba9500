import { randomBytes } from "node:crypto";
import { mkdir, open, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Writes a file so that a reader, or the machine after a power cut, sees the old content or the new, never half. */
export async function writeDurably(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await writeNew(temporary, content, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Replaces a symbolic link (or what else is there) in one step. */
export async function linkDurably(target: string, path: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === target) return;
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await symlink(target, temporary);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Creates a file that must not exist yet and flushes it to disk. */
export async function writeNew(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const file = await open(path, "wx", mode);
  try {
    // The mode given to open is subject to the umask.
    await file.chmod(mode);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function createDirectory(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode });
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
