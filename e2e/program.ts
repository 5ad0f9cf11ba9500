import { type RunningProcess, startProcess } from "./process.ts";
import { until } from "./until.ts";

/** A program that can be stopped, killed and started again; its log goes on across starts. */
export interface Program {
  readonly log: readonly string[];
  readonly running: boolean;
  start(): Promise<void>;
  /** SIGTERM and the end of the process. */
  stop(): Promise<void>;
  /** SIGKILL and the end of the process. */
  kill(): Promise<void>;
  /** Does nothing when it does not run. */
  signal(name: NodeJS.Signals): void;
  /** A line that came after `since` entries of the log. */
  logged(pattern: RegExp, since: number, timeoutMs?: number): Promise<string>;
}

interface ProgramOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** The line that says it can be used. */
  readonly ready: RegExp;
  readonly readyTimeoutMs?: number;
}

export function createProgram({ program, args, ready, readyTimeoutMs }: ProgramOptions): Program {
  const past: string[] = [];
  let current: RunningProcess | undefined;
  const log = (): readonly string[] => [...past, ...(current?.lines ?? [])];
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (current === undefined) return;
    current.child.kill(signal);
    await current[Symbol.asyncDispose]();
    past.push(...current.lines);
    current = undefined;
  };

  return {
    get log() {
      return log();
    },
    get running() {
      return current !== undefined && current.child.exitCode === null && current.child.signalCode === null;
    },
    async start() {
      await end("SIGTERM");
      current = startProcess(program, args);
      await current.line(ready, readyTimeoutMs);
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    signal: (name) => void current?.child.kill(name),
    logged: (pattern, since, timeoutMs) =>
      until(
        `a line like ${pattern} of ${program}`,
        () =>
          log()
            .slice(since)
            .find((line) => pattern.test(line)),
        timeoutMs,
      ),
  };
}
