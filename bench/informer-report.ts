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
      "CPU of that ms": peer.hasLoop ? middle(rounds, "blockedCpuMs") : Number.NaN,
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

/** On the LTS Node. In JSON the server's own share is more than all of client-go's time, so that is asked of protobuf. */
export function targetsOf(results: Results): Target[] {
  const targets: Target[] = [];
  const ours = (form: "JSON" | "protobuf"): readonly InformerRound[] =>
    [...results].find(([peer]) => peer.targetOf === form)?.[1] ?? [];
  const json = ours("JSON");
  if (json.length > 0) {
    targets.push(atMost("sync, JSON", middle(json, "ms"), 1_800), blocked("JSON", json));
  }
  const protobuf = ours("protobuf");
  if (protobuf.length > 0) {
    const peak = ratio(results, protobuf, "peakMb");
    targets.push(
      blocked("protobuf", protobuf),
      besideClientGo("sync, protobuf", ratio(results, protobuf, "ms")),
      besideClientGo(`peak memory, protobuf (${middle(protobuf, "peakMb").toFixed(0)} MB)`, peak),
    );
  }
  return targets;
}

function blocked(form: string, rounds: readonly InformerRound[]): Target {
  return atMost(`event loop blocked at once, ${form}`, middle(rounds, "blockedMs"), 60);
}

function atMost(what: string, ms: number, most: number): Target {
  return { what, wanted: `at most ${most} ms`, measured: `${ms.toFixed(0)} ms`, met: ms <= most };
}

function besideClientGo(what: string, ratio: number): Target {
  return {
    what: `${what}, beside client-go as it comes`,
    wanted: "at most 1.00",
    measured: ratio.toFixed(2),
    met: ratio <= 1,
  };
}

function middle(rounds: readonly InformerRound[], figure: Figure): number {
  return median(rounds.map((round) => round[figure] ?? Number.NaN));
}

function ratio(results: Results, rounds: readonly InformerRound[], figure: Figure): number {
  const reference = [...results].find(([peer]) => peer.isReference)?.[1] ?? [];
  return medianRatio(
    rounds.map((round) => round[figure] ?? Number.NaN),
    reference.map((round) => round[figure] ?? Number.NaN),
  );
}
