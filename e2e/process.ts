import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

/** A child process with its lines collected; disposing ends it by its id and waits for it. */
export interface RunningProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
  /** The first line, past or future, that matches; rejects at the deadline or when the process ends, with its last lines. */
  line(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Waits for the end by itself. */
  exit(timeoutMs?: number): Promise<number>;
}

/** With `stdin: "pipe"` its standard input ends with this process, however that ends. */
export function startProcess(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  options: { stdin?: "pipe" } = {},
): RunningProcess {
  const child = spawn(command, args, {
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: [options.stdin ?? "ignore", "pipe", "pipe"],
  }) as ChildProcessByStdio<Writable | null, Readable, Readable>;
  const lines: string[] = [];
  const waiters = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      if (lines.length > 20_000) lines.splice(0, 10_000);
      for (const waiter of waiters) waiter(line);
    });
  }
  const ended = once(child, "close").then(([code]) => (code as number | null) ?? -1);
  const tail = (): string => `${command} ${args.join(" ")}\n${lines.slice(-15).join("\n")}`;

  return {
    child,
    lines,
    line: (pattern, timeoutMs = 20_000) =>
      new Promise((resolve, reject) => {
        const past = lines.find((line) => pattern.test(line));
        if (past !== undefined) return resolve(past);
        const finish = (settle: () => void): void => {
          clearTimeout(timer);
          waiters.delete(waiter);
          settle();
        };
        const waiter = (line: string): void => {
          if (pattern.test(line)) finish(() => resolve(line));
        };
        const timer = setTimeout(
          () => finish(() => reject(new Error(`no line like ${pattern}: ${tail()}`))),
          timeoutMs,
        );
        waiters.add(waiter);
        void ended.then((code) =>
          finish(() => reject(new Error(`exit ${code} before a line like ${pattern}: ${tail()}`))),
        );
      }),
    exit: async (timeoutMs = 60_000) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
      const code = await ended;
      clearTimeout(timer);
      return code;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
        await ended;
        clearTimeout(timer);
      }
    },
  };
}

const cli = fileURLToPath(new URL("../apps/cli/dist/main.js", import.meta.url));

/** The built `newleaf` program, as a user runs it. */
export function startNewleaf(args: readonly string[], env: Record<string, string> = {}): RunningProcess {
  return startProcess(process.execPath, [cli, ...args], env);
}

/** Runs a command to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: { input?: string; cwd?: string; timeoutMs?: number } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    timeout: options.timeoutMs ?? 60_000,
    stdio: "pipe",
  });
  const out = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    out.stderr += text;
  });
  child.stdin.on("error", () => {}).end(options.input ?? "");
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, ...out };
}

export function runNewleaf(
  args: readonly string[],
  options: { input?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return run(process.execPath, [cli, ...args], options);
}
