import { type ChildProcess, fork } from "node:child_process";
import { on, once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createBenchAuthority } from "./authority.ts";
import type { Bench, BenchContext, BenchResult } from "./bench.ts";
import { residentMb } from "./cpu-time.ts";
import type { Totals } from "./load/generator.ts";
import { locate } from "./peers/peer.ts";
import { median } from "./quantile.ts";
import type { SoakMessage, SoakTotals } from "./servers/soak.ts";
import { createVolume } from "./volume.ts";

const clients = { workers: 50, keeping: 25, pauseMs: 150 };
const answerTimeoutMs = 60_000;
/**
 * Old space, as for a pod of 256 MiB. Left alone, V8 of Node 24 lets garbage pile up to what the machine could hold, and
 * a leak would hide in it.
 */
const heapMb = 64;

/** Rotation after rotation, each as soon as the one before is proved to be served, under clients of both kinds. */
export const soak: Bench = {
  name: "soak",
  async run(context) {
    const rotations = context.quick ? 300 : 10_000;
    const node = await locate("NEWLEAF_NODE_LTS").catch(() => process.execPath);
    const authority = createBenchAuthority(context.home);
    const volume = createVolume(join(context.home, "tls"), authority.issueServer());
    const server = forkServer(node, volume.directory);
    const messages = on(server, "message", { close: ["exit"] });
    const next = async <K extends string>(key: K): Promise<Extract<SoakMessage, Record<K, unknown>>> => {
      for (;;) {
        const result = await withTimeout(messages.next());
        if (result.done) throw new Error("the server ended");
        const [message] = result.value as [SoakMessage];
        if (key in message) return message as Extract<SoakMessage, Record<K, unknown>>;
      }
    };
    try {
      const { port } = await next("port");
      await next("served");
      const load = context.generator.converse({ port, identity: authority.client }, clients);
      const residentMbs: number[] = [];
      const begin = performance.now();
      for (let rotation = 1; rotation <= rotations; rotation++) {
        const identity = authority.issueServer();
        volume.stage(identity);
        volume.swap();
        while ((await next("served")).served !== identity.certificate.sha256);
        if (rotation % (rotations / 100) === 0) residentMbs.push(residentMb(server.pid ?? 0));
        if (rotation % (rotations / 10) === 0) context.log(`soak: ${rotation} of ${rotations} rotations`);
      }
      const seconds = (performance.now() - begin) / 1000;
      const requests = await load.end();
      server.send("end");
      const { totals } = await next("totals");
      return resultOf(context, { rotations, seconds, residentMbs, requests, totals });
    } finally {
      server.kill("SIGKILL");
    }
  },
};

function forkServer(node: string, directory: string): ChildProcess {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const server = fork(join(import.meta.dirname, "servers/soak.ts"), [directory], {
    execPath: node,
    execArgv: [`--max-old-space-size=${heapMb}`, "--import", tsx],
  });
  const kill = (): void => void server.kill("SIGKILL");
  process.once("exit", kill);
  void once(server, "exit").then(() => process.off("exit", kill));
  return server;
}

function withTimeout<T>(promise: Promise<T>): Promise<T> {
  const { promise: expired, cancel } = timeout();
  return Promise.race([promise, expired]).finally(cancel);
}

function timeout(): { promise: Promise<never>; cancel: () => void } {
  let cancel = (): void => {};
  const promise = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer from the server")), answerTimeoutMs);
    cancel = () => clearTimeout(timer);
  });
  return { promise, cancel };
}

interface Soaked {
  readonly rotations: number;
  readonly seconds: number;
  /** One for each hundredth of the rotations. */
  readonly residentMbs: readonly number[];
  readonly requests: Totals;
  readonly totals: SoakTotals;
}

function resultOf(
  { generator }: BenchContext,
  { rotations, seconds, residentMbs, requests, totals }: Soaked,
): BenchResult {
  const tenth = (index: number): number => median(residentMbs.slice(index * 10, index * 10 + 10));
  const growth = tenth(9) / tenth(1) - 1;
  const complete = totals.outcomes.complete ?? 0;
  return {
    method: `${clients.keeping} clients that keep their connection and ${clients.workers - clients.keeping} that do not, each a request every ${clients.pauseMs} ms, none tried again; ${generator.name}; old space limited to ${heapMb} MB; a rotation follows as soon as the one before is proved to be served; connections are asked to go within 250 ms of it`,
    tables: [
      {
        title: "what happened",
        rows: [
          {
            rotations,
            complete,
            "per second": rotations / seconds,
            requests: requests.requests,
            connections: requests.connections,
            failed: requests.failed,
            rejected: totals.rejected,
            cut: totals.cut,
          },
        ],
      },
      {
        title: "resident memory, MB, medians of each tenth of the rotations",
        rows: [Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`${index + 1}`, tenth(index)]))],
      },
    ],
    targets: [
      {
        what: "failed requests",
        wanted: "0",
        measured: `${requests.failed} ${Object.keys(requests.errors).join("; ")}`.trim(),
        met: requests.failed === 0,
      },
      {
        what: "rotations complete, none refused or stalled",
        wanted: `${rotations}`,
        measured: `${complete - 1}, ${Object.keys(totals.refused).length} refused, ${totals.failures} failed attempts`,
        met: complete - 1 === rotations && totals.failures === 0,
      },
      {
        what: "memory, last tenth to second tenth",
        wanted: "within 10 %",
        measured: `${(growth * 100).toFixed(1)} %`,
        met: growth <= 0.1,
      },
    ],
    samples: { "resident MB": residentMbs },
    absent: [],
  };
}
