import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createBenchAuthority } from "./authority.ts";
import type { Bench, BenchContext, Table } from "./bench.ts";
import { groupCpuMs } from "./cpu-time.ts";
import { locate } from "./peers/peer.ts";
import { type Profile, selfTimes, shareOf } from "./profile-shares.ts";
import { startNodeServer } from "./servers/node-server.ts";
import { createVolume } from "./volume.ts";

const programs = ["newleaf", "plain"] as const;
const pins = { server: 0, generator: 1 };
const workers = 8;

/** Where the time of full handshakes and of reconnects goes, by V8's sampling profiler, on the LTS Node if there. */
export const profile: Bench = {
  name: "profile",
  async run(context) {
    const node = await locate("NEWLEAF_NODE_LTS").catch(() => process.execPath);
    const { client, issueServer } = createBenchAuthority(context.home);
    const { directory } = createVolume(join(context.home, "tls"), issueServer());
    const columns: Column[] = [];
    for (const mode of ["full", "resumed"] as const) {
      for (const program of programs) {
        context.log(`profile: ${program}, ${mode}`);
        columns.push(await record(context, { program, mode, node, directory, client }));
      }
    }
    return {
      method: `--cpu-prof over the whole life of a server under full load, sampled every 200 us; microseconds of server CPU a connection (proc times the profile's share); ${workers} connections at a time from ${context.generator.name}; ${columns[0]?.version}`,
      tables: [tableOf(columns), ...columns.slice(0, 1).map(hottestOf)],
      targets: [],
      absent: [],
    };
  },
};

interface Subject {
  readonly program: (typeof programs)[number];
  readonly mode: "full" | "resumed";
  readonly node: string;
  readonly directory: string;
  readonly client: string;
}

interface Column {
  readonly title: string;
  readonly version: string;
  readonly cpuUs: number;
  readonly profile: Profile;
}

async function record(
  { home, generator, quick }: BenchContext,
  { program, mode, node, directory, client }: Subject,
): Promise<Column> {
  const workDirectory = join(home, `${program}-${mode}`);
  mkdirSync(workDirectory);
  const server = await startNodeServer({
    program,
    node,
    nodeArgs: ["--cpu-prof", "--cpu-prof-interval=200", `--cpu-prof-dir=${workDirectory}`],
    directory,
    workDirectory,
    pinCpu: pins.server,
  });
  const target = { port: server.port, identity: client, pinCpu: pins.generator };
  await generator.connect(target, { mode, workers, seconds: quick ? 1 : 3 });
  const before = groupCpuMs(server.pid);
  const { connections } = await generator.connect(target, { mode, workers, seconds: quick ? 2 : 15 });
  const cpuUs = ((groupCpuMs(server.pid) - before) * 1000) / connections;
  await server.stop();
  const [file] = readdirSync(workDirectory).filter((name) => name.endsWith(".cpuprofile"));
  const text = readFileSync(join(workDirectory, file ?? ""), "utf8");
  const title = `${program}, ${mode}`;
  return { title, version: server.version, cpuUs, profile: JSON.parse(text) as Profile };
}

function tableOf(columns: readonly Column[]): Table {
  const shares = columns.map(({ profile }) => shareOf(profile));
  const parts = [...new Set(shares.flatMap((share) => [...share.keys()]))];
  const row = (what: string, value: (column: number) => number): Record<string, string | number> => ({
    what,
    ...Object.fromEntries(columns.map(({ title }, index) => [title, Math.round(value(index))])),
  });
  return {
    title: "microseconds of server CPU a connection",
    rows: [
      ...parts.map((part) =>
        row(part, (index) => (shares[index]?.get(part) ?? 0) * (columns[index]?.cpuUs ?? 0)),
      ),
      row("all", (index) => columns[index]?.cpuUs ?? 0),
    ],
  };
}

function hottestOf({ title, cpuUs, profile }: Column): Table {
  const times = [...selfTimes(profile)].sort(([, a], [, b]) => b - a).slice(0, 25);
  return {
    title: `functions with the most time of their own: ${title}`,
    rows: times.map(([where, share]) => ({ function: where, us: share * cpuUs })),
  };
}
