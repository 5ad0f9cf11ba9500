import type { CommanderError } from "commander";
import type { Output } from "../command.ts";

/** Writes what the parser refused; returns the exit code. Help and version come here too, with nothing to say. */
export function reportUsage(error: CommanderError, program: string, stderr: Output): 0 | 2 {
  if (error.code === "commander.helpDisplayed" || error.code === "commander.version") return 0;
  if (error.code === "commander.help") return 2;
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const near = /Did you mean (?:one of )?(.+)\?/.exec(rest.join(" "))?.[1];
  const hint = near === undefined ? `${program} --help lists what there is` : `did you mean ${near}?`;
  writeProblem(stderr, program, first, hint);
  return 2;
}

/** Writes an error in one line and its hint. */
export function writeProblem(
  stderr: Output,
  program: string,
  message: string,
  hint: string | undefined,
): void {
  const line = message.replaceAll(/\s*\n\s*/g, "; ");
  stderr.write(`${program}: ${line}\n${hint === undefined ? "" : `hint: ${hint}\n`}`);
}

/** The `hint:` of an error: its own, or advice for the system errors people meet most. */
export function hintOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("hint" in error && typeof error.hint === "string") return error.hint;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return systemHints[code] ?? (error.cause === undefined ? undefined : hintOf(error.cause));
}

const systemHints: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens on this address; stop it or choose another",
  EADDRNOTAVAIL: "no interface of this machine has this address",
  EACCES: "this user may not; check owner and mode, and for ports below 1024 the capability",
  ENOENT: "check the path; nothing exists there",
  EISDIR: "this is a directory; name a file",
  ENOTDIR: "part of this path is a file, not a directory",
  ECONNREFUSED: "nothing listens there; check host and port",
  ENOTFOUND: "the host name does not resolve",
  ENOSPC: "the disk is full",
  EMFILE: "too many open files; raise the limit (ulimit -n)",
  EROFS: "the file system is read-only",
};
