import { spawnSync } from "node:child_process";

/** A user that PostgreSQL, which refuses to run as root, is run as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const SETPRIV = "setpriv";

/** Our own user, or as root `postgres`; "nobody" where a root has no such user, or no setpriv to become it. */
export function readAccount(): Account | "own" | "nobody" {
  if (process.getuid?.() !== 0) return "own";
  const [uid, gid] = ["-u", "-g"].map((flag) => {
    const { status, stdout } = spawnSync("id", [flag, "postgres"], { encoding: "utf8", timeout: 5_000 });
    return status === 0 ? Number(stdout) : Number.NaN;
  });
  const setpriv = spawnSync(SETPRIV, ["--version"], { stdio: "ignore", timeout: 5_000 });
  if (!uid || !gid || setpriv.error) return "nobody";
  return { uid, gid };
}

/** The words before a command that run it as this user. */
export function asAccount(account: Account | "own" | "nobody"): readonly string[] {
  if (typeof account === "string") return [];
  return [SETPRIV, `--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"];
}
