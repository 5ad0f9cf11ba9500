import { EventEmitter, once } from "node:events";
import type { Generator, Sighting, Target } from "./load/generator.ts";

interface Probed {
  readonly handshakes: number;
  readonly failed: number;
  readonly oldAfterNew: number;
  /** The median of all handshakes. */
  readonly handshakeMs: number;
}

export interface SwapProbe {
  /** It is connecting. */
  ready(): Promise<void>;
  /** The first handshake with this leaf. */
  firstServed(sha256: string): Promise<Sighting>;
  end(): Promise<Probed>;
}

const timeoutMs = 20_000;

/** Connects on and on, and keeps account of which leaf was served when. */
export function createSwapProbe(generator: Generator, target: Target): SwapProbe {
  const sightings: Sighting[] = [];
  const arrivals = new EventEmitter();
  const first = once(arrivals, "first", { signal: AbortSignal.timeout(timeoutMs) });
  const load = generator.probe(target, (sighting) => {
    if (sightings.push(sighting) === 1) arrivals.emit("first");
    arrivals.emit(sighting.sha256, sighting);
  });
  return {
    async ready() {
      await first;
    },
    async firstServed(sha256) {
      const [sighting] = await once(arrivals, sha256, { signal: AbortSignal.timeout(timeoutMs) });
      return sighting as Sighting;
    },
    async end() {
      const { connections, failed, errors, handshakeMs = Number.NaN } = await load.end();
      if (failed > 0) console.error(errors);
      const oldAfterNew = countOldAfterNew(sightings, connections);
      return { handshakes: connections, failed, oldAfterNew, handshakeMs };
    },
  };
}

/** How many connections were served a leaf after another had taken its place. */
function countOldAfterNew(sightings: readonly Sighting[], connections: number): number {
  const counts = sightings.map((_, index) => sightings[index + 1]?.previous);
  const counted = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  const seen: string[] = [];
  let old = 0;
  for (const [index, { sha256 }] of sightings.entries()) {
    if (!seen.includes(sha256)) seen.push(sha256);
    else if (sha256 !== seen.at(-1)) old += counts[index] ?? connections - counted;
  }
  return old;
}
