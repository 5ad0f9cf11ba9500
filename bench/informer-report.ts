import type { Table, Target } from "./bench.ts";
import type { InformerRound } from "./informer.ts";
import type { InformerPeer } from "./peers/informer.ts";
import { median, medianRatio } from "./quantile.ts";

type Results = ReadonlyMap<InformerPeer, readonly InformerRound[]>;
type Figure = keyof InformerRound;

export function syncTable(results: Results): Table {
  return {
    title: "start to synced (ratio: of client-go as it comes, in the same round)",
    rows: [...results].map(([peer, rounds]) => ({
      informer: peer.title,
      ms: middle(rounds, "ms"),
      ratio: ratio(results, rounds, "ms"),
      "CPU ms": middle(rounds, "cpuMs"),
      "imports CPU ms": middle(rounds, "startCpuMs"),
      "loop blocked ms": peer.hasLoop ? middle(rounds, "blockedMs") : Number.NaN,
      "peak MB": middle(rounds, "peakMb"),
      "after MB": middle(rounds, "afterMb"),
    })),
  };
}

export function eventTable(results: Results): Table {
  return {
    title: "one change",
    rows: [...results].map(([peer, rounds]) => ({
      informer: peer.title,
      "CPU us": middle(rounds, "eventUs"),
      ratio: ratio(results, rounds, "eventUs"),
      "loop blocked ms": peer.hasLoop ? middle(rounds, "eventBlockedMs") : Number.NaN,
    })),
  };
}

/** Of ours as it comes, on the newest Node that is there. */
export function targetsOf(results: Results): Target[] {
  const ours = [...results].find(([peer]) => peer.isTarget)?.[1];
  if (ours === undefined) return [];
  const [ms, blockedMs, peakMb] = [middle(ours, "ms"), middle(ours, "blockedMs"), middle(ours, "peakMb")];
  const [msRatio, peakRatio] = [ratio(results, ours, "ms"), ratio(results, ours, "peakMb")];
  return [
    { what: "sync", wanted: "at most 1,800 ms", measured: `${ms.toFixed(0)} ms`, met: ms <= 1_800 },
    {
      what: "event loop blocked at once",
      wanted: "at most 60 ms",
      measured: `${blockedMs.toFixed(0)} ms`,
      met: blockedMs <= 60,
    },
    {
      what: "sync beside client-go as it comes",
      wanted: "at most 1.00",
      measured: msRatio.toFixed(2),
      met: msRatio <= 1,
    },
    {
      what: "peak memory beside client-go as it comes",
      wanted: "at most 1.00",
      measured: `${peakRatio.toFixed(2)} (${peakMb.toFixed(0)} MB)`,
      met: peakRatio <= 1,
    },
  ];
}

function middle(rounds: readonly InformerRound[], figure: Figure): number {
  return median(rounds.map((round) => round[figure]));
}

function ratio(results: Results, rounds: readonly InformerRound[], figure: Figure): number {
  const reference = [...results].find(([peer]) => peer.isReference)?.[1] ?? [];
  return medianRatio(
    rounds.map((round) => round[figure]),
    reference.map((round) => round[figure]),
  );
}
