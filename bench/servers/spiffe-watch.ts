// Watches a Workload API with @newleaf/spiffe and writes a line for each X509Context that it has in hand; the Go program
// of peers/go-spiffe does the same.  node spiffe-watch.ts ADDRESS
import { createWorkloadApiClient } from "@newleaf/spiffe";

export interface WatchArrival {
  /** Milliseconds of the machine's monotonic clock. */
  readonly atMs: number;
  readonly svids: number;
  readonly bundles: number;
  /** User and system time of all threads so far. */
  readonly cpuMs: number;
}

const [address = ""] = process.argv.slice(2);

for await (const update of createWorkloadApiClient({ address }).watchX509Context()) {
  if (update.kind === "failure") {
    console.error(update.error.message);
    continue;
  }
  const atMs = Number(process.hrtime.bigint()) / 1e6;
  const { user, system } = process.cpuUsage();
  const { svids, bundles } = update.value;
  const arrival: WatchArrival = {
    atMs,
    svids: svids.length,
    bundles: bundles.size,
    cpuMs: (user + system) / 1_000,
  };
  process.stdout.write(`${JSON.stringify(arrival)}\n`);
}
