import process from "node:process";

/** Signals that mean nothing to us and may mean something to the program that we run. */
const passed = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGQUIT",
  "SIGWINCH",
  "SIGCONT",
] as const satisfies readonly NodeJS.Signals[];

/** Hands these signals on until disposed. SIGTERM, SIGINT and SIGHUP come by another way, since they mean us too. */
export function passSignals(forward: (signal: NodeJS.Signals) => void): Disposable {
  for (const name of passed) process.on(name, forward);
  return {
    [Symbol.dispose]() {
      for (const name of passed) process.off(name, forward);
    },
  };
}
