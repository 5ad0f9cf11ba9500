import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RolloverParticipant } from "@newleaf/rotation";
import type { ClientTally } from "./demo-result.ts";

/** A client of the demo: counts until it is disposed. */
export interface DemoClient extends AsyncDisposable {
  readonly name: string;
  tally(): ClientTally;
  /** The latest failure, in the client's own words. */
  lastFailure(): string | undefined;
  /** For the CA rollover; absent where a client has no part in it. */
  readonly participant?: RolloverParticipant;
}

const PROGRAMS = {
  curl: { needs: "curl", command: "sh", script: "curl.sh" },
  "openssl s_client": { needs: "openssl", command: "sh", script: "openssl.sh" },
  python3: { needs: "python3", command: "python3", script: "python.py" },
} as const;

export type ExternalProgram = keyof typeof PROGRAMS;
export const EXTERNAL_PROGRAMS = Object.keys(PROGRAMS) as readonly ExternalProgram[];

/** Who reads the files anew for each request has taken over whatever has been written. */
function readsEachTime(name: string): RolloverParticipant {
  return { name, acknowledged: () => Promise.resolve(), switched: () => Promise.resolve() };
}

/** Whether the machine has the program. */
export function hasProgram(name: ExternalProgram): boolean {
  return (
    spawnSync(PROGRAMS[name].needs, ["--version"], { stdio: "ignore", timeout: 10_000 }).error === undefined
  );
}

/** Starts the program's loop (a file of `clients/`) on a volume; `target` is what it connects to. */
export function startExternalClient(
  name: ExternalProgram,
  directory: string,
  target: string,
  pauseSeconds: number,
): DemoClient {
  const { command, script } = PROGRAMS[name];
  const path = fileURLToPath(new URL(`../clients/${script}`, import.meta.url));
  // A process group of its own: the loop's current curl ends with it.
  const child = spawn(command, [path, directory, target, String(pauseSeconds)], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const ended = once(child, "close");
  let [requests, failures, stopping] = [0, 0, false];
  let lastFailure: string | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (stopping) return;
    requests++;
    if (line === "ok") return;
    failures++;
    lastFailure = line;
  });
  return {
    name,
    tally: () => ({ requests, failures }),
    lastFailure: () => lastFailure,
    participant: readsEachTime(name),
    async [Symbol.asyncDispose]() {
      // What is cut off now says nothing about rotation.
      stopping = true;
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, "SIGKILL");
      await ended;
    },
  };
}
