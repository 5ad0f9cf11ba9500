import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createBenchAuthority } from "./authority.ts";
import type { Bench, BenchContext, Table, Target } from "./bench.ts";
import { type Contestant, type ContestantName, startContestant } from "./contestants.ts";
import { groupCpuMs } from "./cpu-time.ts";
import { median, medianRatio } from "./quantile.ts";
import { createVolume } from "./volume.ts";

const names: readonly ContestantName[] = [
  "Newleaf, LTS Node",
  "https.Server, LTS Node",
  "Newleaf, this Node",
  "https.Server, this Node",
  "nginx",
  "Envoy",
  "Go net/http",
  "ghostunnel",
];
const serverCpu = 0;
const generatorCpu = 1;
const workers = 8;
const rounds = 5;

type Mode = "full" | "resumed";

/** What one server did in each round. */
interface Series {
  readonly perSecond: number[];
  readonly cpuMs: number[];
  /** How much of its core the server used: below one, the generator was the slower side. */
  readonly busy: number[];
  connections: number;
  resumed: number;
  failed: number;
}

type Entry = Contestant & Readonly<Record<Mode, Series>>;

/** Connections a second and server CPU for each: full handshakes, then reconnects with session tickets. */
export const handshakes: Bench = {
  name: "handshakes",
  async run(context) {
    const { client, issueServer } = createBenchAuthority(context.home);
    const volume = createVolume(join(context.home, "tls"), issueServer());
    const entries: Entry[] = [];
    const absent: string[] = [];
    try {
      for (const [index, name] of names.entries()) {
        const workDirectory = join(context.home, `work-${index}`);
        mkdirSync(workDirectory);
        const started = await startContestant(name, {
          directory: volume.directory,
          workDirectory,
          pinCpu: serverCpu,
        });
        if ("absent" in started) absent.push(started.absent);
        else entries.push({ ...started, full: emptySeries(), resumed: emptySeries() });
      }
      for (const mode of ["full", "resumed"] as const) await takeTurns(entries, mode, client, context);
    } finally {
      await Promise.all(entries.map(({ peer }) => peer.stop()));
    }
    return {
      method: `medians of ${rounds} rounds by turns; TLS 1.3 mTLS, P-256, X25519, one GET on each connection; ${workers} connections at a time from ${context.generator.name} on one core, the server alone on the other`,
      tables: [
        tableOf("full handshakes", "full", entries),
        tableOf("reconnects with a ticket", "resumed", entries),
      ],
      targets: targetsOf(entries),
      samples: Object.fromEntries(
        entries.flatMap(({ title, full, resumed }) => [
          [`${title}: full, CPU ms`, full.cpuMs],
          [`${title}: full, per second`, full.perSecond],
          [`${title}: resumed, CPU ms`, resumed.cpuMs],
        ]),
      ),
      absent,
    };
  },
};

const emptySeries = (): Series => ({
  perSecond: [],
  cpuMs: [],
  busy: [],
  connections: 0,
  resumed: 0,
  failed: 0,
});

/** There and back again, so that no server always runs after the same other one. */
async function takeTurns(
  entries: readonly Entry[],
  mode: Mode,
  client: string,
  { generator, quick, log }: BenchContext,
): Promise<void> {
  const seconds = quick ? 0.5 : mode === "full" ? 2.5 : 1.5;
  const measure = (entry: Entry): ReturnType<typeof generator.connect> =>
    generator.connect(
      { port: entry.peer.port, identity: client, pinCpu: generatorCpu },
      { mode, workers, seconds },
    );
  log(`handshakes: ${mode}, warming up`);
  for (const entry of entries) await measure(entry);
  for (let round = 0; round < rounds; round++) {
    log(`handshakes: ${mode}, round ${round + 1} of ${rounds}`);
    for (const entry of round % 2 === 0 ? entries : entries.toReversed()) {
      const before = groupCpuMs(entry.peer.pid);
      const totals = await measure(entry);
      const cpuMs = groupCpuMs(entry.peer.pid) - before;
      const series = entry[mode];
      series.perSecond.push(totals.connections / totals.seconds);
      series.cpuMs.push(cpuMs / totals.connections);
      series.busy.push(cpuMs / (totals.seconds * 1000));
      series.connections += totals.connections;
      series.resumed += totals.resumed;
      series.failed += totals.failed;
    }
  }
}

function tableOf(title: string, mode: Mode, entries: readonly Entry[]): Table {
  return {
    title,
    rows: entries.map((entry) => {
      const { perSecond, cpuMs, busy, connections, resumed, failed } = entry[mode];
      return {
        server: entry.title,
        "per second": Math.round(median(perSecond)),
        "server CPU ms": median(cpuMs),
        "core in use": median(busy),
        connections,
        resumed,
        failed,
      };
    }),
  };
}

function targetsOf(entries: readonly Entry[]): readonly Target[] {
  const find = (name: ContestantName): Entry | undefined => entries.find((entry) => entry.name === name);
  const targets: Target[] = [];
  for (const node of ["LTS Node", "this Node"] as const) {
    const [newleaf, plain] = [find(`Newleaf, ${node}`), find(`https.Server, ${node}`)];
    if (!newleaf || !plain) continue;
    const ratio = medianRatio(newleaf.full.perSecond, plain.full.perSecond);
    const cpu = medianRatio(plain.full.cpuMs, newleaf.full.cpuMs);
    targets.push({
      what: `${newleaf.title}: full handshakes a second, of plain`,
      wanted: "0.95",
      measured: `${ratio.toFixed(3)} (by CPU ${cpu.toFixed(3)})`,
      met: ratio >= 0.95,
    });
  }
  const [newleaf, go] = [find("Newleaf, LTS Node"), find("Go net/http")];
  if (newleaf && go) {
    const [reconnect, full] = [median(newleaf.resumed.cpuMs), median(go.full.cpuMs)];
    targets.push({
      what: `${newleaf.title}: server CPU of a resumed reconnect`,
      wanted: `Go's full handshake, ${full.toFixed(2)} ms`,
      measured: `${reconnect.toFixed(2)} ms`,
      met: reconnect <= full,
    });
  }
  const failed = entries
    .filter(({ name }) => name.startsWith("Newleaf"))
    .reduce((sum, { full, resumed }) => sum + full.failed + resumed.failed, 0);
  targets.push({
    what: "Newleaf: failed connections",
    wanted: "0",
    measured: `${failed}`,
    met: failed === 0,
  });
  return targets;
}
