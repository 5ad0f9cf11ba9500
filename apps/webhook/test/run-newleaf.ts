import { Readable, Writable } from "node:stream";
import type { Output } from "@newleaf/daemon";
import { type ProgramHost, runProgram } from "@newleaf/daemon/program";
import { commands } from "../src/index.ts";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `newleaf <argv>` in this process, with the commands of this app only. */
export async function newleaf(argv: readonly string[], host: Partial<ProgramHost> = {}): Promise<Finished> {
  const [stdout, stderr] = [createOutput(), createOutput()];
  const code = await runNewleaf(argv, { stdout, stderr, ...host });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** A program that runs until it is stopped. */
export interface RunningProgram {
  /** Of its log: those with this message. */
  lines(message?: string): readonly LogLine[];
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number>;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number>;
  /** Asks its admin port, once that listens. */
  ask(path: string): Promise<{ readonly status: number; readonly text: string }>;
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

/** Starts `newleaf <argv> --admin 127.0.0.1:0`. */
export function startNewleaf(argv: readonly string[], env: ProgramHost["env"] = {}): RunningProgram {
  const stop = new AbortController();
  const stderr = createOutput();
  const whole = [...argv, "--admin", "127.0.0.1:0", "--log-level", "debug"];
  const ended = runNewleaf(whole, { stdout: createOutput(), stderr, signal: stop.signal, env });
  const lines = (message?: string): readonly LogLine[] =>
    stderr
      .text()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as LogLine)
      .filter(({ msg }) => message === undefined || msg === message);
  return {
    lines,
    ended,
    stop() {
      stop.abort();
      return ended;
    },
    async ask(path) {
      const [listening] = lines("admin listening");
      if (!listening) return { status: 0, text: `no admin port yet: ${stderr.text()}` };
      const response = await fetch(`${listening.url}${path}`);
      return { status: response.status, text: await response.text() };
    },
  };
}

function runNewleaf(
  argv: readonly string[],
  host: Pick<ProgramHost, "stdout" | "stderr"> & Partial<ProgramHost>,
): Promise<number> {
  const entries = commands.map((command) => ({ ...command, load: async () => command }));
  const program = { name: "newleaf", version: "0.0.0", description: "test", commands: entries };
  return runProgram(program, { argv, env: {}, stdin: Readable.from([]), ...host });
}

function createOutput(): Output & { text(): string } {
  let text = "";
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return Object.assign(stream, { text: () => text });
}
