import { Writable } from "node:stream";
import { type CommandContext, createStyle, silentLogger } from "@newleaf/daemon";

/** What a demo is given by the command line; what it tells becomes lines. */
export function contextWith(
  lines: string[],
  signal: AbortSignal = new AbortController().signal,
): CommandContext {
  const sink = new Writable({
    write(chunk, _encoding, callback) {
      lines.push(...String(chunk).trimEnd().split("\n"));
      callback();
    },
  });
  return {
    signal,
    logger: silentLogger,
    stdin: process.stdin,
    stdout: sink,
    stderr: sink,
    env: {},
    style: createStyle(false),
    onReload: () => ({ [Symbol.dispose]: () => {} }),
    daemon: { admin: undefined, graceMs: 0, shutdownDelayMs: 0 },
    commandName: "newleaf demo",
    version: "test",
  };
}
