import { Readable, Writable } from "node:stream";
import type { LeafCommand } from "@newleaf/daemon";
import { runProgram } from "@newleaf/daemon/program";

/** A command of newleaf's own in this process, as the command line runs it. Disposal stops it as SIGTERM does. */
export interface EmbeddedProgram extends AsyncDisposable {
  /** How it ended by itself, with its last words; undefined while it runs and when it was stopped. */
  readonly failure: string | undefined;
}

/** A line of its log. */
export interface LogLine {
  readonly level?: string;
  readonly msg?: string;
  readonly time?: string;
  readonly [field: string]: unknown;
}

/** `version` is what it says of itself, to servers that are told. */
export function startEmbeddedProgram(
  command: LeafCommand,
  argv: readonly string[],
  onLine: (line: LogLine) => void = () => {},
  version = "demo",
): EmbeddedProgram {
  const stop = new AbortController();
  let [failure, lastWords]: (string | undefined)[] = [];
  const stderr = lines((text) => {
    const line = parseLine(text);
    lastWords = typeof line.error === "string" ? line.error : line.msg;
    onLine(line);
  });
  const entry = { name: command.name, summary: command.summary, load: async () => command };
  const running = runProgram(
    { name: "newleaf", version, description: "", commands: [entry] },
    {
      argv: [command.name, ...argv, "--admin", "off"],
      env: {},
      stdin: Readable.from([]),
      stdout: lines(() => {}),
      stderr,
      signal: stop.signal,
    },
  ).then((code) => {
    if (!stop.signal.aborted) failure = `newleaf ${command.name} ended with ${code}: ${lastWords}`;
  });
  return {
    get failure() {
      return failure;
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("the demo is over"));
      await running;
    },
  };
}

function lines(onLine: (text: string) => void): Writable {
  let rest = "";
  return new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      const texts = (rest + String(chunk)).split("\n");
      rest = texts.pop() ?? "";
      for (const text of texts) onLine(text);
      done();
    },
  });
}

function parseLine(text: string): LogLine {
  return text.startsWith("{") ? (JSON.parse(text) as LogLine) : { msg: text };
}
