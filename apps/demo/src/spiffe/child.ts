import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { failure } from "@newleaf/daemon";

/** A server in a process of its own. Disposal ends it and waits for that. */
export interface Child extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly hasEnded: boolean;
  /** The last lines that it said. */
  lastWords(): string;
}

export interface ChildOptions {
  readonly name: string;
  readonly cwd: string;
  /** Ends it; SIGKILL follows. */
  readonly stopSignal?: NodeJS.Signals;
}

const OUTPUT_KEPT = 4_096;
const STOP_MS = 5_000;

export async function startChild(
  [program = "", ...args]: readonly string[],
  options: ChildOptions,
): Promise<Child> {
  const { name, cwd, stopSignal = "SIGTERM" } = options;
  let said = "";
  // A process group of its own, so that the terminal's Ctrl-C leaves it to us; its stdin ends with us, however we end.
  const child = spawn(program, args, { cwd, detached: true, stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(child, "close").catch(() => {});
  child.stdin.on("error", () => {});
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-OUTPUT_KEPT);
    });
  }
  await once(child, "spawn").catch((cause) => {
    throw failure(`${name} cannot be started`, { cause });
  });
  const { pid = 0 } = child;
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const kill = (): void => void (hasEnded() || child.kill("SIGKILL"));
  // Before what was made first: its folder goes when it has gone.
  process.prependOnceListener("exit", kill);
  return {
    name,
    pid,
    get hasEnded() {
      return hasEnded();
    },
    lastWords: () => said.trim().split("\n").slice(-3).join("; "),
    async [Symbol.asyncDispose]() {
      child.kill(stopSignal);
      const killing = setTimeout(kill, STOP_MS);
      await ended;
      clearTimeout(killing);
      process.off("exit", kill);
    },
  };
}

/** A port that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

const START_MS = 20_000;

/** Asks until there is an answer; rejects with the last failure at the deadline, or as soon as the child has ended. */
export async function untilAnswered(
  child: Child,
  ask: () => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      await ask();
      return;
    } catch (cause) {
      signal.throwIfAborted();
      if (child.hasEnded || Date.now() > deadline) {
        throw failure(`${child.name} does not answer: ${child.lastWords() || String(cause)}`, { cause });
      }
      await sleep(50, undefined, { signal });
    }
  }
}
