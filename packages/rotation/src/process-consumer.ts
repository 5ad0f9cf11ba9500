import type { ChildProcess } from "node:child_process";
import { open } from "node:fs/promises";
import type { Clock } from "./clock.ts";
import type { Consumer } from "./consumer.ts";
import { RotationError } from "./error.ts";
import type { Generation } from "./generation.ts";
import { proveServed, type ServedTarget } from "./served.ts";

export interface SignalConsumerOptions {
  /** In records; "signal" unless given. */
  readonly name?: string;
  /** The process: a file whose first line is its id, a child, or whatever the function answers at the time. */
  readonly process:
    | { readonly pidFile: string }
    | { readonly child: ChildProcess }
    | { readonly pid: () => number | Promise<number> };
  /** SIGHUP unless given. */
  readonly signal?: NodeJS.Signals;
  /** Where to look whether the process serves the new leaf; without targets a sent signal counts as served. */
  readonly targets?: readonly (string | ServedTarget)[];
  /** How long the process may take to reload: 10 s. Then the signal is sent again, with backoff. */
  readonly proveWithinMs?: number;
  /** SNI for the proof. */
  readonly servername?: string;
  /** Present our own certificate to the targets: on, since they are likely to ask for one. */
  readonly presentCertificate?: boolean;
  readonly clock?: Clock;
}

/**
 * Tells another process to read its certificate again, and then looks whether it serves it. The files are written by
 * somebody else, before: by the source's volume or by a consumer that writes them.
 */
export function createSignalConsumer(options: SignalConsumerOptions): Consumer {
  const { name = "signal", signal = "SIGHUP", targets = [] } = options;
  return {
    name,
    load: () => signalProcess(options.process, signal),
    ...(targets.length > 0
      ? { prove: (generation, stop) => proveServed(targets, generation, proof(options, generation, stop)) }
      : {}),
  };
}

/** Sends one signal; rejects with ERR_ROTATION_PROCESS when the process is not found or may not be signalled. */
export async function signalProcess(
  process: SignalConsumerOptions["process"],
  signal: NodeJS.Signals,
): Promise<void> {
  send(await processId(process), signal);
}

function proof(
  options: SignalConsumerOptions,
  generation: Generation,
  signal: AbortSignal,
): Parameters<typeof proveServed>[2] {
  const { proveWithinMs, servername, presentCertificate = true, clock } = options;
  return {
    signal,
    ...(presentCertificate ? { client: generation } : {}),
    ...(proveWithinMs === undefined ? {} : { withinMs: proveWithinMs }),
    ...(servername === undefined ? {} : { servername }),
    ...(clock ? { clock } : {}),
  };
}

async function processId(process: SignalConsumerOptions["process"]): Promise<number> {
  if ("pidFile" in process) return readPidFile(process.pidFile);
  if ("pid" in process) return checkedId(await process.pid(), "process");
  const { child } = process;
  const ended = child.exitCode ?? child.signalCode;
  if (child.pid === undefined || ended !== null) {
    const why = child.pid === undefined ? "was not started" : `has ended (${ended})`;
    throw new RotationError("ERR_ROTATION_PROCESS", `child process ${child.spawnfile} ${why}`);
  }
  return child.pid;
}

const LONGEST_PID_FILE = 4_096;

/** The first line, since PostgreSQL's postmaster.pid has more. */
async function readPidFile(path: string): Promise<number> {
  let text: string;
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST_PID_FILE), 0, LONGEST_PID_FILE, 0);
    text = buffer.toString("latin1", 0, bytesRead);
  } catch (error) {
    throw new RotationError("ERR_ROTATION_PROCESS", `pid file ${path} cannot be read`, { cause: error });
  }
  const [line = ""] = text.split("\n");
  return checkedId(/^\s*[0-9]{1,10}\s*$/.test(line) ? Number(line) : Number.NaN, `pid file ${path}`);
}

/** 0 and negative numbers name groups of processes, and 1 is nobody's to signal by mistake. */
function checkedId(pid: number, origin: string): number {
  if (Number.isSafeInteger(pid) && pid > 1) return pid;
  throw new RotationError("ERR_ROTATION_PROCESS", `${origin} names no process to signal`);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const why = code === "ESRCH" ? "no such process" : code === "EPERM" ? "not permitted" : String(error);
    throw new RotationError("ERR_ROTATION_PROCESS", `${signal} to process ${pid}: ${why}`, { cause: error });
  }
}
