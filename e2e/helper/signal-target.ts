import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.ts";

/** Who is signalled by its pid file. */
interface SignalTarget extends AsyncDisposable {
  readonly pidFile: string;
  ready(): Promise<boolean>;
  count(signal: "USR1" | "USR2"): number;
}

/** A process that writes down each signal. */
export function startTarget(box: string, name: string): SignalTarget {
  const [pidFile, log] = [join(box, `${name}.pid`), join(box, `${name}.log`)];
  const script = `for s in USR1 USR2; do trap "echo $s >>'${log}'" $s; done; echo $$ >'${pidFile}'; while :; do sleep 0.02; done`;
  const child: ChildProcess = spawn("bash", ["-c", script], { stdio: "ignore" });
  return {
    pidFile,
    ready: () => until("a pid file", () => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== ""),
    count: (signal) =>
      existsSync(log)
        ? readFileSync(log, "utf8")
            .split("\n")
            .filter((line) => line === signal).length
        : 0,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "close");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Writes its arguments, then each signal, to the file that is its first argument. */
export const childScript = `
echo $$ >"$1.pid"
exec >>"$1"
shift
trap "echo renewed" HUP
printf "<%s>" "$@"; echo
while :; do sleep 0.02; done
`;

/** Ends the process whose id is in the file, if it runs. */
export function endProcess(pidFile: string): void {
  if (!existsSync(pidFile)) return;
  try {
    process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
  } catch {
    // It has ended already.
  }
}
