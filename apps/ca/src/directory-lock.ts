import { randomBytes } from "node:crypto";
import { closeSync, linkSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CaError } from "./error.ts";

const patienceMs = 10_000;
const retryMs = 25;

/**
 * Runs `task` while no other process changes the directory: `renew --every` in one terminal and `revoke` in
 * another must not lose each other's entries. The lock of a process that is gone is taken over.
 */
export async function withDirectoryLock<T>(
  directory: string,
  signal: AbortSignal,
  task: () => Promise<T>,
): Promise<T> {
  const path = join(directory, "lock");
  const deadline = Date.now() + patienceMs;
  while (!acquire(path)) {
    if (Date.now() > deadline) {
      throw new CaError("ERR_CA_BUSY", `${directory} is in use by another newleaf ca; nothing was changed`, {
        hint: `wait for it to end, or remove ${path} if there is none`,
      });
    }
    await sleep(retryMs * (0.5 + Math.random()), undefined, { signal });
  }
  try {
    return await task();
  } finally {
    rmSync(path, { force: true });
  }
}

/** A hard link appears with its content or not at all, so a lock always says whose it is. */
function acquire(path: string): boolean {
  const own = `${path}.${randomBytes(6).toString("hex")}`;
  writeFileSync(own, String(process.pid), { flag: "wx", mode: 0o600 });
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(own, { force: true });
  }
  if (isAbandoned(path)) removeAbandoned(path);
  return false;
}

/** Two that take over the same lock must not remove each other's new one: only one may look and remove. */
function removeAbandoned(path: string): void {
  const guard = `${path}.takeover`;
  try {
    closeSync(openSync(guard, "wx", 0o600));
  } catch {
    return;
  }
  try {
    if (isAbandoned(path)) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

function isAbandoned(path: string): boolean {
  try {
    process.kill(Number(readFileSync(path, "utf8")), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
