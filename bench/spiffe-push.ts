import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { BenchContext, BenchResult, Table } from "./bench.ts";
import { type Conversation, startConversation } from "./conversation.ts";
import { residentMb } from "./cpu-time.ts";
import { type SpiffeLibrary, spiffeLibraries, startSpiffeLibraries } from "./peers/spiffe-library.ts";
import { median, quantile } from "./quantile.ts";
import type { WatchArrival } from "./servers/spiffe-watch.ts";
import type { PushAnswer, PushRequest } from "./servers/workload-api.ts";

const [svids, federated] = [100, 200];
const rounds = 4;

interface Watcher {
  readonly library: SpiffeLibrary;
  readonly ms: number[];
  readonly cpuMs: number[];
  last: WatchArrival;
}

/** From a large message that the Workload API sends to the X509Context in a watcher's hand; one watcher at a time. */
export async function comparePushes({
  quick,
  home,
  log,
}: BenchContext): Promise<Pick<BenchResult, "tables" | "samples" | "absent">> {
  const pushes = quick ? 20 : 200;
  const paths = spiffeLibraries.map((_, place) => join(home, `api-${place}.sock`));
  await using server = await startServer(paths);
  const { octets } = (await server.next()) as { octets: number };
  const { libraries, absent } = await startSpiffeLibraries((place) => ({
    name: "watch",
    address: `unix://${paths[place]}`,
  }));
  try {
    const watchers: Watcher[] = [];
    for (const library of libraries) {
      watchers.push({ library, ms: [], cpuMs: [], last: await nextArrival(library) });
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const watcher of watchers) {
        log(`spiffe: pushes, round ${round + 1} of ${rounds}, ${watcher.library.title}`);
        for (let push = 0; push < pushes / rounds; push += 1) {
          // A message comes to a client that is at rest.
          await delay(20 + Math.random() * 10);
          await pushOnce(server, watcher);
        }
      }
    }
    return {
      tables: [tableOf(watchers, server, pushes, octets)],
      samples: Object.fromEntries(watchers.map(({ library, ms }) => [library.title, ms])),
      absent,
    };
  } finally {
    for (const { conversation } of libraries) await conversation[Symbol.asyncDispose]();
  }
}

function startServer(paths: readonly string[]): Promise<Conversation> {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const script = join(import.meta.dirname, "servers/workload-api.ts");
  const args = ["--import", tsx, script, String(svids), String(federated), ...paths];
  return startConversation({ program: process.execPath, args });
}

async function pushOnce(server: Conversation, watcher: Watcher): Promise<void> {
  server.say({ socket: watcher.library.place } satisfies PushRequest);
  const { atMs } = (await server.next()) as PushAnswer;
  const arrival = await nextArrival(watcher.library);
  watcher.ms.push(arrival.atMs - atMs);
  watcher.cpuMs.push(arrival.cpuMs - watcher.last.cpuMs);
  watcher.last = arrival;
}

/** Rejects when it is not all of it. */
async function nextArrival({ title, conversation }: SpiffeLibrary): Promise<WatchArrival> {
  const arrival = (await conversation.next()) as WatchArrival;
  if (arrival.svids === svids && arrival.bundles === federated + 1) return arrival;
  throw new Error(`${title} has ${arrival.svids} SVIDs and ${arrival.bundles} bundles`);
}

function tableOf(watchers: readonly Watcher[], server: Conversation, pushes: number, octets: number): Table {
  const rows = watchers.map(({ library, ms, cpuMs }) => ({
    watcher: library.title,
    "first push": ms[0] ?? Number.NaN,
    p50: median(ms),
    p99: quantile(ms, 0.99),
    "CPU ms each": median(cpuMs),
    "resident MB": residentMb(library.conversation.pid),
  }));
  const none = Number.NaN;
  const serverRow = { watcher: "the server", "first push": none, p50: none, p99: none, "CPU ms each": none };
  return {
    title: `${pushes} messages of ${svids} SVIDs and ${federated} federated bundles (${Math.round(octets / 1024)} KiB): ms from the push to an X509Context in hand`,
    rows: [...rows, { ...serverRow, "resident MB": residentMb(server.pid) }],
  };
}
