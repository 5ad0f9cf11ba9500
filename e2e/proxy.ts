import { startNewleaf } from "./process.ts";

type LogEntry = Readonly<Record<string, unknown>>;

/** A `newleaf proxy server` over `builtin:hello`, on ports of its own choosing. */
export interface RunningProxy extends AsyncDisposable {
  readonly port: number;
  readonly admin: string;
  readonly pid: number;
  /** A place in the log, for `refusal`. */
  mark(): number;
  /** The first refusal logged after `since` with this code. */
  refusal(code: string, since: number): Promise<LogEntry>;
  /** Polls an admin path until `accept` holds; returns its text. */
  admits(
    path: string,
    accept: (text: string, status: number) => boolean,
    timeoutMs?: number,
  ): Promise<string>;
}

export async function startProxy(certs: string, args: readonly string[]): Promise<RunningProxy> {
  const process = startNewleaf([
    "proxy", "server", "--listen", "127.0.0.1:0", "--certs", certs, "--target", "builtin:hello",
    "--admin", "127.0.0.1:0", "--log-level", "debug", ...args,
  ]); // biome-ignore format: one command line
  const entries = (): LogEntry[] =>
    process.lines.flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as LogEntry] : []));
  const ready = JSON.parse(await process.line(/"listen":/)) as { listen: string };
  const admin = (JSON.parse(await process.line(/"admin listening"/)) as { url: string }).url;

  return {
    port: Number(ready.listen.split(":").at(-1)),
    admin,
    pid: process.child.pid ?? -1,
    mark: () => entries().length,
    async refusal(code, since) {
      const deadline = Date.now() + 15_000;
      for (;;) {
        const found = entries()
          .slice(since)
          .find((entry) => entry.code === code && entry.address !== undefined);
        if (found !== undefined) return found;
        if (Date.now() > deadline)
          throw new Error(`no refusal ${code} in: ${process.lines.slice(-10).join("\n")}`);
        await process.line(/./, 1000).then(() => new Promise((resolve) => setTimeout(resolve, 20)));
      }
    },
    async admits(path, accept, timeoutMs = 15_000) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const response = await fetch(`${admin}${path}`);
        const text = await response.text();
        if (accept(text, response.status)) return text;
        if (Date.now() > deadline) throw new Error(`${path} is still ${response.status}: ${text}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
