import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** A server of somebody else's that answers `GET /` with `hello\n` on 127.0.0.1 over TLS 1.3 mTLS. */
export interface Peer {
  readonly name: string;
  /** As the program itself reports it. */
  readonly version: string;
  /** The process that was started; a master's workers are in its process group. */
  readonly pid: number;
  readonly port: number;
  /** Asks for the files to be read again, where the program does not watch them; done when it was asked. */
  reload?: () => Promise<void>;
  /** Ends every process of the peer and waits for that; idempotent. */
  stop(): Promise<void>;
}

export interface PeerOptions {
  /** `tls.crt`, `tls.key` and `ca.crt`, laid out and replaced as kubelet's AtomicWriter does it. */
  readonly directory: string;
  /** An existing folder for the peer's configuration, log and pid file. The creator removes it. */
  readonly workDirectory: string;
  /** Runs the peer on this CPU alone, with one worker. */
  readonly pinCpu?: number | undefined;
}

/** `unavailable`: the component is not installed. `not-ready`: it ended or did not accept in time. */
export class PeerError extends Error {
  readonly code: "unavailable" | "not-ready";

  constructor(code: PeerError["code"], message: string) {
    super(message);
    this.name = "PeerError";
    this.code = code;
  }
}

const run = promisify(execFile);
const readyTimeoutMs = 15_000;
const stopTimeoutMs = 5_000;

/** The path that e2e/setup/env.sh prints for this variable, for example `NEWLEAF_ENVOY`. */
export async function locate(variable: string): Promise<string> {
  const script = resolve(import.meta.dirname, "../../e2e/setup/env.sh");
  const { stdout } = await run("bash", [script]);
  const line = stdout.split("\n").find((entry) => entry.startsWith(`${variable}=`));
  if (line === undefined) {
    throw new PeerError("unavailable", `${variable} is not installed; e2e/setup/install.sh installs it`);
  }
  return line.slice(variable.length + 1);
}

/** What `pattern` captures first in the output of `program args`, which may come on either stream. */
export async function reportedVersion(program: string, args: string[], pattern: RegExp): Promise<string> {
  const { stdout, stderr } = await run(program, args, { timeout: 10_000 });
  return pattern.exec(stdout + stderr)?.[1] ?? "unknown";
}

/** A port that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  return address.port;
}

export interface PeerProcess {
  readonly pid: number;
  /** On the machine's monotonic clock, just before it was started. */
  readonly spawnedNs: number;
  /** Does nothing when the process has ended. */
  signal(signalName: NodeJS.Signals): void;
  stop(): Promise<void>;
}

export interface PeerCommand extends Pick<PeerOptions, "workDirectory" | "pinCpu"> {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly port: number;
}

/**
 * Starts a program in a process group of its own, its output in `<workDirectory>/<name>.log`, and resolves once
 * it accepts on its port. Should this process end first, the group is killed on the way out.
 */
export async function startProcess(command: PeerCommand): Promise<PeerProcess> {
  const { name, program, args, env, port, workDirectory, pinCpu } = command;
  const logFile = join(workDirectory, `${name}.log`);
  const [file = program, ...rest] = [
    ...(pinCpu === undefined ? [] : ["taskset", "-c", String(pinCpu)]),
    program,
    ...args,
  ];
  const log = openSync(logFile, "a");
  const spawnedNs = Number(process.hrtime.bigint());
  const child = spawn(file, rest, {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...env },
  });
  closeSync(log);
  await once(child, "spawn");
  const { pid } = child;
  if (pid === undefined) throw new Error("a spawned process without an id");

  const killGroup = (): void => {
    signalGroup(pid, "SIGKILL");
  };
  process.once("exit", killGroup);
  const stop = async (): Promise<void> => {
    await endProcess(child, pid);
    process.off("exit", killGroup);
  };
  try {
    await waitUntilAccepting(child, port);
  } catch (error) {
    await stop();
    const lastLines = (await readFile(logFile, "utf8")).trim().split("\n").slice(-5).join("\n");
    const reason = error instanceof Error ? error.message : String(error);
    throw new PeerError("not-ready", `${name} ${reason}:\n${lastLines}`);
  }
  return { pid, spawnedNs, signal: (signalName) => void child.kill(signalName), stop };
}

async function waitUntilAccepting(child: ChildProcess, port: number): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  while (performance.now() < deadline) {
    if (hasEnded(child)) throw new Error(`ended with ${child.exitCode ?? child.signalCode}`);
    if (await accepts(port)) return;
    await delay(10);
  }
  throw new Error(`did not accept connections within ${readyTimeoutMs} ms`);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port, timeout: 1_000 });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** SIGTERM, then SIGKILL for whoever of the group is left when the leader is gone or the time is up. */
async function endProcess(child: ChildProcess, pid: number): Promise<void> {
  if (!hasEnded(child)) {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await Promise.race([ended, delay(stopTimeoutMs, undefined, { ref: false })]);
    signalGroup(pid, "SIGKILL");
    await ended;
  }
  const deadline = performance.now() + stopTimeoutMs;
  while (signalGroup(pid, "SIGKILL") && performance.now() < deadline) await delay(5);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Whether there was somebody to signal. */
function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
