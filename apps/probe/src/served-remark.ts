import type { VerifyResult } from "./verify-targets.ts";

/** What is to be said about an answer beyond its verdict, in people's words; undefined for nothing. */
export function servedRemark({ report, stored }: VerifyResult): string | undefined {
  if (!report.message) return undefined;
  const parts = report.message
    .trim()
    .split("; ")
    // Without anything stored, to serve somebody is no remark.
    .filter((part) => stored !== undefined || !part.startsWith("it serves "));
  return parts.length > 0 ? withoutSource(parts.join("; ")) : undefined;
}

/** OpenSSL's errors carry a thread id, a file and a line of its own source; the words are in the middle. */
function withoutSource(text: string): string {
  return text.replaceAll(/[0-9A-F]{8,}:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):\S+:\d+:[^;]*/g, "$1").trim();
}
