import { DaemonError } from "../error.ts";
import type { PublisherWords } from "./file-publisher.ts";

/** What the file system refused, with what is left of the old state: all of it. */
export function writeError(directory: string, error: unknown, words: PublisherWords): DaemonError {
  return describe(`cannot write to ${directory}`, error, "the files there are as they were", words);
}

/** What went wrong behind the moment at which the new files took the place of the old ones. */
export function unsettledError(directory: string, error: unknown, words: PublisherWords): DaemonError {
  return describe(`cannot tidy up ${directory}`, error, "the new files are in place", words);
}

function describe(what: string, error: unknown, left: string, words: PublisherWords): DaemonError {
  if (error instanceof DaemonError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const call = error instanceof Error && "syscall" in error ? ` (${String(error.syscall)})` : "";
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
  const hint = hintOf(code, words);
  return new DaemonError("ERR_DAEMON_WRITE", `${what}: ${reason}${call}; ${left}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOENT: "there is no such directory",
  ENOTDIR: "part of the path is no directory",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  EROFS: "the file system is read-only",
  EISDIR: "a directory has the name of a file",
};

function hintOf(code: string, { directory, plainFiles, owner }: PublisherWords): string | undefined {
  switch (code) {
    case "EACCES":
      return `${directory} must belong to this user, or be writable for it`;
    case "EPERM": {
      const links = `links need a file system that has them, or ${plainFiles}`;
      return owner === undefined ? links : `${owner} needs the capability CAP_CHOWN; ${links}`;
    }
    case "ENOENT":
      return `${directory} must exist before; it is not created`;
    default:
      return undefined;
  }
}
