import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createBenchAuthority } from "./authority.ts";
import type { Bench, BenchContext, Table } from "./bench.ts";
import { cpuProfiler } from "./cpu-profile.ts";
import { groupCpuMs } from "./cpu-time.ts";
import { locate } from "./peers/peer.ts";
import { perfProfiler } from "./perf-profile.ts";
import { type Profiler, ProfilerAbsent } from "./profiler.ts";
import { startNodeServer } from "./servers/node-server.ts";
import { createVolume } from "./volume.ts";

const pins = { server: 0, generator: 1 };
const workers = 8;

interface Subject {
  readonly program: "newleaf" | "plain";
  readonly mode: "full" | "resumed";
}

/** Where the time of a connection goes, on the LTS Node if it is there. */
export const profile: Bench = {
  name: "profile",
  async run(context) {
    const node = await locate("NEWLEAF_NODE_LTS").catch(() => process.execPath);
    const { client, issueServer } = createBenchAuthority(context.home);
    const { directory } = createVolume(join(context.home, "tls"), issueServer());
    const measure = (subject: Subject, start: (folder: string) => Promise<Profiler>): Promise<Column> =>
      record(context, { ...subject, node, directory, client, start });

    const tables: Table[] = [];
    const absent: string[] = [];
    const columns: Column[] = [];
    for (const mode of ["full", "resumed"] as const) {
      for (const program of ["newleaf", "plain"] as const) {
        const column = await measure({ program, mode }, perfProfiler).catch((error: unknown) => {
          if (!(error instanceof ProfilerAbsent)) throw error;
          absent.push(`${program}, ${mode}: ${error.message}`);
        });
        if (column) columns.push(column);
      }
    }
    if (columns.length > 0) tables.push(sharesOf(columns));
    tables.push(hottestOf(await measure({ program: "newleaf", mode: "full" }, cpuProfiler)));
    return {
      method: `microseconds of server CPU a connection: what /proc counts, times the share of samples; perf (cpu-clock) by kind of code, --cpu-prof by function; ${workers} connections at a time from ${context.generator.name} on one core, the server on the other`,
      tables,
      targets: [],
      absent,
    };
  },
};

interface Column {
  readonly title: string;
  readonly us: ReadonlyMap<string, number>;
}

async function record(
  { home, generator, quick, log }: BenchContext,
  subject: Subject & {
    readonly node: string;
    readonly directory: string;
    readonly client: string;
    readonly start: (folder: string) => Promise<Profiler>;
  },
): Promise<Column> {
  const { program, mode, node, directory, client, start } = subject;
  const workDirectory = join(home, `${start.name}-${program}-${mode}`);
  mkdirSync(workDirectory);
  log(`profile: ${start.name}, ${program}, ${mode}`);
  const profiler = await start(workDirectory);
  const { nodeArgs } = profiler;
  const server = await startNodeServer({
    ...{ program, node, nodeArgs, directory, workDirectory },
    pinCpu: pins.server,
  });
  const target = { port: server.port, identity: client, pinCpu: pins.generator };
  await generator.connect(target, { mode, workers, seconds: quick ? 1 : 4 });
  const finish = await profiler.watch(server.pid);
  const before = groupCpuMs(server.pid);
  const { connections } = await generator.connect(target, { mode, workers, seconds: quick ? 2 : 12 });
  const cpuUs = ((groupCpuMs(server.pid) - before) * 1000) / connections;
  await finish();
  await server.stop();
  const samples = await profiler.read();
  const all = [...samples.values()].reduce((sum, count) => sum + count, 0);
  const us = new Map([...samples].map(([what, count]) => [what, (count / all) * cpuUs]));
  return { title: `${program}, ${mode}`, us };
}

function sharesOf(columns: readonly Column[]): Table {
  const kinds = [...new Set(columns.flatMap(({ us }) => [...us.keys()]))];
  const row = (what: string, value: (column: Column) => number): Record<string, string | number> => ({
    what,
    ...Object.fromEntries(columns.map((column) => [column.title, Math.round(value(column))])),
  });
  const first = columns[0]?.us;
  return {
    title: "by kind of code, microseconds a connection",
    rows: [
      ...kinds
        .toSorted((a, b) => (first?.get(b) ?? 0) - (first?.get(a) ?? 0))
        .map((kind) => row(kind, ({ us }) => us.get(kind) ?? 0)),
      row("all", ({ us }) => [...us.values()].reduce((sum, value) => sum + value, 0)),
    ],
  };
}

function hottestOf({ title, us }: Column): Table {
  return {
    title: `JavaScript functions with the most time, native code that they call included: ${title}`,
    rows: [...us]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 30)
      .map(([where, value]) => ({ function: where, us: value })),
  };
}
