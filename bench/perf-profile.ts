import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Profiler, ProfilerAbsent } from "./profiler.ts";

const run = promisify(execFile);
const program = "perf";

/** Which kind of code a symbol is; the first that fits. */
const kinds: readonly (readonly [kind: string, fits: (object: string, symbol: string) => boolean])[] = [
  ["kernel", (object) => object.startsWith("[kernel")],
  ["JavaScript: Newleaf", (_, symbol) => /packages\/(rotation|x509)\//.test(symbol)],
  ["JavaScript: Node's TLS", (_, symbol) => /^JS:.* node:(internal\/)?_?(tls|crypto)/.test(symbol)],
  ["JavaScript: HTTP", (_, symbol) => /^JS:.* node:(internal\/)?_?http/.test(symbol)],
  ["JavaScript: sockets, streams", (_, symbol) => /^JS:.* node:(net|(internal\/)?stream)/.test(symbol)],
  ["JavaScript: the rest", (object, symbol) => object.startsWith("[JIT]") || symbol.startsWith("JS:")],
  ["V8: built-ins, interpreter", (_, symbol) => symbol.startsWith("Builtins_")],
  ["V8: garbage collector", (_, symbol) => /^v8::.*(Scaveng|Mark|Heap|Sweep|Evacuat|GC)/.test(symbol)],
  ["V8: runtime, compiler", (_, symbol) => symbol.startsWith("v8::")],
  ["Node's C++, libuv", (_, symbol) => /^(node::|uv_|llhttp|std::)/.test(symbol)],
  ["libc (mostly malloc)", (object) => /^(libc|libstdc|libm|ld-|\[vdso)/.test(object)],
  // What is left in the program is linked C: OpenSSL, but for a few samples.
  ["OpenSSL", () => true],
];

/** Linux perf, which samples by CPU time and sees JavaScript, C++ and the kernel alike. */
export async function perfProfiler(folder: string): Promise<Profiler> {
  await run(program, ["--version"]).catch(() => {
    throw new ProfilerAbsent("perf is not installed");
  });
  const data = join(folder, "perf.data");
  let map = "";
  return {
    nodeArgs: ["--perf-basic-prof", "--no-logfile-per-isolate", `--logfile=${join(folder, "v8.log")}`],
    async watch(pid) {
      // Where Node tells perf what it compiled; the place is perf's.
      map = `/tmp/perf-${pid}.map`;
      const perf = spawn(program, [
        "record",
        "-q",
        "-e",
        "cpu-clock",
        "-F",
        "1999",
        "-p",
        `${pid}`,
        "-o",
        data,
      ]);
      await once(perf, "spawn");
      return async () => {
        const ended = once(perf, "exit");
        perf.kill("SIGINT");
        await ended;
      };
    },
    async read() {
      const report = ["report", "--stdio", "--no-children", "-F", "sample,dso,symbol", "-i", data];
      const { stdout } = await run(program, report, { maxBuffer: 64 << 20 }).catch(() => {
        throw new ProfilerAbsent("perf may not sample here");
      });
      await rm(map, { force: true });
      return countKinds(stdout);
    },
  };
}

function countKinds(report: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of report.split("\n")) {
    const match = /^\s+(\d+)\s+(\S.*?)\s+\[[.k]\]\s+(\S.*?)(\s{2}|$)/.exec(line);
    if (!match) continue;
    const [, samples, object = "", symbol = ""] = match;
    const kind = kinds.find(([, fits]) => fits(object, symbol))?.[0] ?? "";
    counts.set(kind, (counts.get(kind) ?? 0) + Number(samples));
  }
  return counts;
}
