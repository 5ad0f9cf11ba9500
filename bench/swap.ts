import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type BenchAuthority, createBenchAuthority } from "./authority.ts";
import type { Bench, BenchContext, Table, Target } from "./bench.ts";
import { type Contestant, type ContestantName, startContestant } from "./contestants.ts";
import { median, quantile } from "./quantile.ts";
import { createSwapProbe, type SwapProbe } from "./swap-probe.ts";
import { createVolume, type Volume } from "./volume.ts";

const names: readonly ContestantName[] = [
  "Newleaf, LTS Node",
  "Newleaf, this Node",
  "certwatcher",
  "ghostunnel",
  "Envoy",
  "nginx",
];
/** Those that watch: to be told is to be independent of what the folder looks like. */
const watching = new Set<ContestantName>(["Newleaf, LTS Node", "Newleaf, this Node", "certwatcher", "Envoy"]);

/** By turns, so that what else the machine does meets all alike. */
const rounds = 4;

interface Entry extends Contestant {
  readonly volume: Volume;
  readonly swapMs: number[];
  readonly keptMs: number[];
  readonly handshakeMs: number[];
  handshakes: number;
  failed: number;
  oldAfterNew: number;
}

/** From the swap of `..data` to the end of the first handshake that showed the new leaf. */
export const swap: Bench = {
  name: "swap",
  async run(context) {
    const authority = createBenchAuthority(context.home);
    const samples = context.quick ? 4 : 60;
    const entries: Entry[] = [];
    const absent: string[] = [];
    try {
      for (const name of names) {
        const entry = await startEntry(name, context.home, authority);
        if ("absent" in entry) absent.push(entry.absent);
        else entries.push(entry);
      }
      for (let round = 0; round < rounds; round++) {
        for (const entry of entries) {
          context.log(`swap: round ${round + 1} of ${rounds}, ${entry.title}`);
          await measure(entry, context, authority, { swaps: samples / rounds, keepOld: false });
        }
      }
      for (const entry of entries.filter(({ name }) => watching.has(name))) {
        context.log(`swap: old folder left in place, ${entry.title}`);
        const swaps = entry.name === "certwatcher" ? Math.min(3, samples / 4) : samples / 4;
        await measure(entry, context, authority, { swaps, keepOld: true });
      }
    } finally {
      await Promise.all(entries.map(({ peer }) => peer.stop()));
    }
    return {
      method: `ms from the rename of ..data to the end of the first handshake with the new leaf; ${samples} swaps each, in ${rounds} rounds by turns; one connection after the other from ${context.generator.name}, full TLS 1.3 mTLS handshake, X25519, P-256, one GET; nothing pinned`,
      tables: tablesOf(entries),
      targets: targetsOf(entries),
      samples: Object.fromEntries(
        entries.flatMap(({ title, swapMs, keptMs }) => [
          [title, swapMs],
          [`${title}, old folder kept`, keptMs],
        ]),
      ),
      absent,
    };
  },
};

async function startEntry(
  name: ContestantName,
  home: string,
  authority: BenchAuthority,
): Promise<Entry | { absent: string }> {
  const place = join(home, name.replaceAll(/[^A-Za-z]+/g, "-"));
  const workDirectory = join(place, "work");
  mkdirSync(workDirectory, { recursive: true });
  const volume = createVolume(join(place, "tls"), authority.issueServer());
  const started = await startContestant(name, { directory: volume.directory, workDirectory });
  if ("absent" in started) return started;
  const counts = { handshakes: 0, failed: 0, oldAfterNew: 0 };
  return { ...started, ...counts, volume, swapMs: [], keptMs: [], handshakeMs: [] };
}

async function measure(
  entry: Entry,
  { generator }: BenchContext,
  authority: BenchAuthority,
  { swaps, keepOld }: { swaps: number; keepOld: boolean },
): Promise<void> {
  const identities = Array.from({ length: swaps }, () => authority.issueServer());
  const probe: SwapProbe = createSwapProbe(generator, { port: entry.peer.port, identity: authority.client });
  await probe.ready();
  for (const identity of identities) {
    entry.volume.stage(identity);
    await delay(50 + Math.random() * 50);
    const seen = probe.firstServed(identity.certificate.sha256);
    const swappedNs = entry.volume.swap({ keepOld });
    await entry.peer.reload?.();
    const { endNs } = await seen;
    (keepOld ? entry.keptMs : entry.swapMs).push((endNs - swappedNs) / 1e6);
    // nginx for one still serves the old leaf now and then for a while.
    await delay(120);
  }
  const { handshakes, failed, oldAfterNew, handshakeMs } = await probe.end();
  entry.handshakes += handshakes;
  entry.failed += failed;
  entry.oldAfterNew += oldAfterNew;
  entry.handshakeMs.push(handshakeMs);
}

function tablesOf(entries: readonly Entry[]): readonly Table[] {
  const row = (ms: readonly number[]): Record<string, number> => ({
    p50: median(ms),
    p99: quantile(ms, 0.99),
    max: Math.max(...ms),
    n: ms.length,
  });
  return [
    {
      title: "old folder deleted at once, as kubelet does",
      rows: entries.map(({ title, swapMs, handshakeMs, handshakes, failed, oldAfterNew }) => ({
        server: title,
        ...row(swapMs),
        "usual handshake": median(handshakeMs),
        handshakes,
        failed,
        "old after new": oldAfterNew,
      })),
    },
    {
      title: "old folder left in place",
      rows: entries
        .filter(({ keptMs }) => keptMs.length > 0)
        .map(({ title, keptMs }) => ({ server: title, ...row(keptMs) })),
    },
  ];
}

function targetsOf(entries: readonly Entry[]): readonly Target[] {
  const peers = entries.filter(({ name }) => !name.startsWith("Newleaf"));
  const best = Math.min(...peers.map(({ swapMs }) => median(swapMs)));
  return entries
    .filter(({ name }) => name.startsWith("Newleaf"))
    .flatMap(({ title, swapMs, keptMs, failed, oldAfterNew }) => {
      const [p50, p99, kept] = [median(swapMs), quantile(swapMs, 0.99), median(keptMs)];
      const ms = (value: number): string => `${value.toFixed(1)} ms`;
      return [
        { what: `${title}: p50`, wanted: `best peer, ${ms(best)}`, measured: ms(p50), met: p50 <= best },
        { what: `${title}: p99`, wanted: "under 25 ms", measured: ms(p99), met: p99 < 25 },
        { what: `${title}: failed handshakes`, wanted: "0", measured: `${failed}`, met: failed === 0 },
        { what: `${title}: old after new`, wanted: "0", measured: `${oldAfterNew}`, met: oldAfterNew === 0 },
        {
          what: `${title}: p50, old folder kept`,
          wanted: "as above",
          measured: ms(kept),
          met: kept < p50 + 2,
        },
      ];
    });
}
