import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Totals {
  readonly connections: number;
  readonly resumed: number;
  readonly requests: number;
  readonly failed: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Of a probe: the median of all its handshakes. */
  readonly handshakeMs?: number;
}

/** The first connection that was served another leaf than the one before it; times as of process.hrtime(). */
export interface Sighting {
  readonly sha256: string;
  readonly startNs: number;
  readonly endNs: number;
  /** How many connections had been served the leaf before. */
  readonly previous: number;
}

export interface Target {
  readonly port: number;
  /** The client's tls.crt, tls.key and ca.crt. */
  readonly identity: string;
  readonly pinCpu?: number | undefined;
}

/** A load that goes on until it is told to end. */
interface RunningLoad {
  end(): Promise<Totals>;
}

/** The program that plays the clients, in a process of its own. */
export interface Generator {
  readonly name: string;
  /** As many connections one after the other as `workers` can make in that time, one GET each. */
  connect(
    target: Target,
    how: { mode: "full" | "resumed"; workers: number; seconds: number },
  ): Promise<Totals>;
  /** One connection after the other. */
  probe(target: Target, onSighting: (sighting: Sighting) => void): RunningLoad;
  /** Clients of which `keeping` stay connected for as long as the server lets them. */
  converse(target: Target, how: { workers: number; keeping: number; pauseMs: number }): RunningLoad;
}

const run = promisify(execFile);

/** The Go program of this folder, built into `home`; without Go its stand-in for Node. */
export async function createGenerator(home: string): Promise<Generator> {
  const command = (await buildWithGo(join(home, "load"))) ?? nodeCommand();
  const start = (mode: string, target: Target, options: Record<string, string | number>): ChildProcess => {
    const all = { port: target.port, identity: target.identity, ...options };
    const flags = Object.entries(all).map(([name, value]) => `--${name}=${value}`);
    const pinned = target.pinCpu === undefined ? [] : ["taskset", "-c", String(target.pinCpu)];
    const [program = "", ...args] = [...pinned, ...command.args, mode, ...flags];
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const kill = (): void => void child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.off("exit", kill));
    return child;
  };
  return {
    name: command.name,
    connect: (target, { mode, workers, seconds }) => readLines(start(mode, target, { workers, seconds })),
    probe(target, onSighting) {
      const child = start("probe", target, {});
      return untilEnded(child, readLines(child, onSighting));
    },
    converse(target, { workers, keeping, pauseMs }) {
      const child = start("mixed", target, { workers, keeping, pause: `${pauseMs}ms` });
      return untilEnded(child, readLines(child));
    },
  };
}

async function buildWithGo(program: string): Promise<{ name: string; args: string[] } | undefined> {
  const build = ["build", "-trimpath", "-buildvcs=false", "-o", program, "."];
  try {
    await run("go", build, {
      cwd: import.meta.dirname,
      env: { ...process.env, GOWORK: "off", GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
    });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const { stdout } = await run(program, ["version"]);
  return { name: `Go ${stdout.trim().slice("go".length)}`, args: [program] };
}

function nodeCommand(): { name: string; args: string[] } {
  const program = join(import.meta.dirname, "node-load.ts");
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  return { name: `Node ${process.versions.node}`, args: [process.execPath, "--import", tsx, program] };
}

/** Every line but the last is a sighting. */
async function readLines(child: ChildProcess, onSighting?: (sighting: Sighting) => void): Promise<Totals> {
  const exited = once(child, "exit");
  let totals: Totals | undefined;
  const lines: Interface = createInterface({ input: child.stdout! });
  lines.on("line", (line) => {
    const message = JSON.parse(line) as Totals | Sighting;
    if ("sha256" in message) onSighting?.(message);
    else totals = message;
  });
  await once(lines, "close");
  const [code, signal] = await exited;
  if (totals === undefined) throw new Error(`the load generator ended with ${code ?? signal}`);
  return totals;
}

function untilEnded(child: ChildProcess, totals: Promise<Totals>): RunningLoad {
  return {
    end() {
      child.stdin?.end();
      return totals;
    },
  };
}
