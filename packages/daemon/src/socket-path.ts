import { usageError } from "./error.ts";

/** What the address of a unix socket holds; the system cuts a longer path without a word and uses another file. */
const longest = process.platform === "linux" ? 107 : 103;

/** Reads the path of `unix:/PATH` or `unix:///PATH`; throws a usage error that names `text` for anything else. */
export function parseSocketPath(text: string): string {
  const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
  if (!text.startsWith("unix:") || !path.startsWith("/")) {
    throw usageError(`${text} is not an absolute path`, "write it as unix:/PATH");
  }
  if (Buffer.byteLength(path) > longest) {
    throw usageError(
      `${text} is longer than ${longest} octets`,
      "the path of a unix socket can be no longer; choose another",
    );
  }
  return path;
}
