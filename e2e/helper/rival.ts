import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RunningProcess, run, startProcess } from "../process.ts";

/** A program that takes spiffe-helper's flags and file. */
export interface Rival {
  readonly name: string;
  /** Starts it with a file of these lines, in which `@CERTS@` is a new folder. */
  start(lines: readonly string[], flags?: readonly string[]): HelperRun;
  /** Its exit code with these arguments, in a folder that holds `helper.conf` with these lines, if any. */
  exitCode(args: readonly string[], lines?: readonly string[]): Promise<number>;
}

export interface HelperRun extends AsyncDisposable {
  readonly rival: string;
  readonly directory: string;
  readonly process: RunningProcess;
}

/** What a reader sees: each file's mode and content by name, without what is only the layout of an update. */
export type Published = Readonly<Record<string, { readonly mode: string; readonly content: string }>>;

const cli = fileURLToPath(new URL("../../apps/cli/dist/main.js", import.meta.url));

export function createRivals(spiffeHelper: string, box: string): { theirs: Rival; ours: Rival } {
  return {
    theirs: createRival("theirs", [spiffeHelper], box),
    // spiffe-helper has no such port, and another program may have it.
    ours: createRival("ours", [process.execPath, cli, "helper"], box),
  };
}

function createRival(name: string, [program = "", ...command]: readonly string[], box: string): Rival {
  let runs = 0;
  const newFolder = (lines: readonly string[]): { directory: string; config: string } => {
    const folder = join(box, `${name}-${++runs}`);
    const directory = join(folder, "certs");
    mkdirSync(directory, { recursive: true });
    const config = join(folder, "helper.conf");
    writeFileSync(config, lines.map((line) => line.replaceAll("@CERTS@", directory)).join("\n"));
    return { directory, config };
  };
  return {
    name,
    start(lines, flags = []) {
      const { directory, config } = newFolder(lines);
      const running = startProcess(program, [...command, "-config", config, ...flags]);
      return {
        rival: name,
        directory,
        process: running,
        [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
      };
    },
    async exitCode(args, lines = []) {
      const { directory } = newFolder(lines);
      const cwd = join(directory, "..");
      return (await run(program, [...command, ...args], { cwd, timeoutMs: 10_000 })).code;
    },
  };
}

export function published(directory: string): Published {
  const names = readdirSync(directory).filter((name) => !name.startsWith("."));
  return Object.fromEntries(
    names.sort().map((name) => {
      const path = join(directory, name);
      const mode = (statSync(path).mode & 0o7777).toString(8).padStart(4, "0");
      return [name, { mode, content: readFileSync(path, "utf8") }];
    }),
  );
}
