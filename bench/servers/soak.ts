// The rotating server of the soak: tells its parent what is served, and at the end what became of every rotation.
import { createServer } from "node:https";
import { setImmediate } from "node:timers/promises";
import { allow, rotateServer, serverOptions, watchFiles } from "@newleaf/rotation";

export type SoakMessage =
  | { readonly port: number }
  | { readonly served: string }
  | { readonly totals: SoakTotals };

export interface SoakTotals {
  readonly outcomes: Readonly<Record<string, number>>;
  /** Failed attempts of any stage. */
  readonly failures: number;
  /** Connections that a drain ended while something was under way. */
  readonly cut: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly rejected: number;
}

const tell = (message: SoakMessage): void => void process.send?.(message);
const outcomes: Record<string, number> = {};
let failures = 0;
let cut = 0;

const identity = await watchFiles({ directory: process.argv[2] ?? "" });
const server = createServer(serverOptions(identity), (_request, response) => response.end("hello\n"));
// Drains shorter than the default, as rotations here are some milliseconds apart and not hours.
const drainJitterMs = 250;
const rotation = rotateServer(server, identity, { authorize: allow.dns("client.bench"), drainJitterMs });

async function countRecords(): Promise<void> {
  for await (const record of rotation.records()) {
    outcomes[record.outcome] = (outcomes[record.outcome] ?? 0) + 1;
    failures += record.failures;
    for (const { drained } of record.consumers) cut += drained?.cut ?? 0;
  }
}

async function reportServed(): Promise<void> {
  for await (const { number } of identity.watch()) {
    const { sha256 } = await rotation.whenServed(number);
    tell({ served: sha256 });
  }
}

void countRecords();
void reportServed();
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) tell({ port: address.port });
});

process.once("message", async () => {
  await rotation.whenComplete(identity.current().number);
  // The reader of the records has its turn.
  await setImmediate();
  const rejected = Object.values(rotation.stats().rejections).reduce((sum, count) => sum + count, 0);
  const { refusals } = identity.status();
  tell({ totals: { outcomes, failures, cut, refused: refusals, rejected } });
  process.disconnect();
  process.exit();
});
