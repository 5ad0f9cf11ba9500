// What load/main.go does, for machines without Go: the same modes, options and output. One Node process makes some
// 600 full handshakes a second, which is too few to saturate the fastest servers.
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { median } from "../quantile.ts";
import { type Client, createClient, get, openConnection } from "./node-client.ts";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: "string", default: "0" },
    identity: { type: "string", default: "." },
    workers: { type: "string", default: "1" },
    keeping: { type: "string", default: "0" },
    seconds: { type: "string", default: "1" },
    pause: { type: "string", default: "0ms" },
  },
});
const totals = { connections: 0, resumed: 0, requests: 0, failed: 0, errors: {} as Record<string, number> };
const handshakeMss: number[] = [];
const begin = performance.now();
let over = false;

async function main(mode: string | undefined): Promise<void> {
  const client = createClient(Number(values.port), values.identity);
  const pauseMs = Number.parseFloat(values.pause);
  const inParallel = (work: (index: number) => Promise<void>): Promise<unknown> =>
    Promise.all(Array.from({ length: Number(values.workers) }, (_, index) => work(index)));
  if (mode === "probe" || mode === "mixed") {
    process.stdin.once("end", () => {
      over = true;
    });
    process.stdin.resume();
  }
  if (mode === "full" || mode === "resumed") {
    setTimeout(() => {
      over = true;
    }, Number(values.seconds) * 1000);
    await inParallel(() => {
      const own = { ...client };
      return repeat(() => connectOnce(own, mode === "resumed"));
    });
  } else if (mode === "probe") await probe(client);
  else if (mode === "mixed") {
    await inParallel((index) =>
      repeat(async () => {
        if (index < Number(values.keeping)) await stay(client, pauseMs);
        else await connectOnce(client, false);
        await delay(pauseMs);
      }),
    );
  } else throw new Error(`no mode ${mode}`);
  const handshakeMs = median(handshakeMss);
  console.log(
    JSON.stringify({
      ...totals,
      ...(handshakeMss.length > 0 && { handshakeMs }),
      seconds: (performance.now() - begin) / 1000,
    }),
  );
}

async function repeat(work: () => Promise<void>): Promise<void> {
  while (!over) {
    try {
      await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      totals.failed += 1;
      totals.errors[message] = (totals.errors[message] ?? 0) + 1;
    }
  }
}

async function connectOnce(client: Client, keepsTickets: boolean): Promise<void> {
  const socket = await openConnection(client);
  if (keepsTickets) {
    socket.on("session", (session: Buffer) => {
      client.session = session;
    });
  }
  totals.connections += 1;
  if (socket.isSessionReused()) totals.resumed += 1;
  totals.requests += 1;
  await get(socket, true).finally(() => socket.destroySoon());
}

async function stay(client: Client, pauseMs: number): Promise<void> {
  const socket = await openConnection(client);
  totals.connections += 1;
  try {
    for (let last = false; !last && !over; await delay(pauseMs)) {
      totals.requests += 1;
      last = await get(socket, false);
    }
  } finally {
    socket.destroySoon();
  }
}

async function probe(client: Client): Promise<void> {
  let shown = "";
  let previous = 0;
  await repeat(async () => {
    const startNs = Number(process.hrtime.bigint());
    const socket = await openConnection(client);
    const endNs = Number(process.hrtime.bigint());
    const certificate = socket.getPeerX509Certificate();
    const sha256 = createHash("sha256")
      .update(certificate?.raw ?? "")
      .digest("hex");
    totals.connections += 1;
    handshakeMss.push((endNs - startNs) / 1e6);
    if (sha256 !== shown) {
      console.log(JSON.stringify({ sha256, startNs, endNs, previous }));
      shown = sha256;
      previous = 0;
    }
    previous += 1;
    totals.requests += 1;
    await get(socket, true).finally(() => socket.destroySoon());
  });
}

await main(positionals[0]);
