import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Profiler } from "./profiler.ts";

/** What `--cpu-prof` writes, as far as it is used here; times in microseconds. */
interface CpuProfile {
  readonly nodes: readonly CpuProfileNode[];
  /** As of process.hrtime(). */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface CpuProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

/** V8's own sampling profiler, by JavaScript function. What OpenSSL does without JavaScript is "(idle)" to it. */
export async function cpuProfiler(folder: string): Promise<Profiler> {
  let from = 0;
  let to = 0;
  const nowUs = (): number => Number(process.hrtime.bigint()) / 1000;
  return {
    nodeArgs: ["--cpu-prof", "--cpu-prof-interval=200", `--cpu-prof-dir=${folder}`],
    async watch() {
      from = nowUs();
      return async () => {
        to = nowUs();
      };
    },
    async read() {
      const name = (await readdir(folder)).find((file) => file.endsWith(".cpuprofile")) ?? "";
      return selfTimes(JSON.parse(await readFile(join(folder, name), "utf8")) as CpuProfile, from, to);
    },
  };
}

function selfTimes(profile: CpuProfile, from: number, to: number): ReadonlyMap<string, number> {
  const places = new Map(profile.nodes.map((node) => [node.id, placeOf(node)]));
  const times = new Map<string, number>();
  let now = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const time = profile.timeDeltas[index] ?? 0;
    now += time;
    if (now < from || now > to) continue;
    const place = places.get(id) ?? "";
    times.set(place, (times.get(place) ?? 0) + time);
  }
  return times;
}

function placeOf({ callFrame: { functionName, url, lineNumber } }: CpuProfileNode): string {
  const file = url.split("/").slice(-2).join("/");
  // The name of a regular expression is its source.
  const name = functionName.slice(0, 40) || "(anonymous)";
  return file === "" ? name : `${name} ${file}:${lineNumber + 1}`;
}
