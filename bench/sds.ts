import { type ChildProcess, fork } from "node:child_process";
import { on, once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { silentLogger, systemClock } from "@newleaf/daemon";
import { createSdsServer, listenOnSocket, whenAcknowledged } from "@newleaf/sds";
import { createTestAuthority } from "@newleaf/testing";
import type { Bench } from "./bench.ts";
import type { SubscribersMessage } from "./load/sds-subscribers.ts";
import { quantile } from "./quantile.ts";

const subscribers = 1_000;
const wantedMs = 500;
const answerTimeoutMs = 60_000;
const secret = "web";

/** One rotation to a thousand Envoys, each with a connection of its own, from another process. */
export const sds: Bench = {
  name: "sds",
  async run({ quick, home, log }) {
    const rotations = quick ? 5 : 50;
    const authority = createTestAuthority({ intermediate: true });
    const path = join(home, "sds.sock");
    await using server = createSdsServer({
      limits: { maxNames: 16, maxStreams: subscribers },
      keepaliveMs: 30_000,
      logger: silentLogger,
    });
    await using _listener = await listenOnSocket(path, {
      mode: 0o600,
      maxConnections: subscribers,
      onConnection: (socket) => server.accept(socket),
    });
    const publish = (): void => {
      const { certificate, intermediates, key } = authority.issue({ dnsNames: ["backend.shop.svc"] });
      server.store.publish(
        new Map([[secret, { kind: "certificate", chain: [certificate, ...intermediates], key }]]),
      );
    };
    publish();
    const child = forkSubscribers(path);
    const messages = on(child, "message", {
      close: ["exit"],
      signal: AbortSignal.timeout(10 * answerTimeoutMs),
    });
    const [allMs, lastMs, acknowledgedMs, cpu]: [number[], number[], number[], number[]] = [[], [], [], []];
    try {
      await next(messages);
      await whenAcknowledged(server.subscribers, [secret], patience());
      log(`sds: ${subscribers} subscribers`);
      const { encodings } = server.store;
      for (let rotation = 0; rotation < rotations; rotation += 1) {
        const [begin, cpuBefore] = [now(), process.cpuUsage()];
        publish();
        const waiting = whenAcknowledged(server.subscribers, [secret], patience());
        const { receivedAt } = await next(messages);
        await waiting;
        acknowledgedMs.push(now() - begin);
        const { user, system } = process.cpuUsage(cpuBefore);
        cpu.push((user + system) / 1_000);
        allMs.push(...receivedAt.map((at) => at - begin));
        lastMs.push(Math.max(...receivedAt) - begin);
      }
      const encoded = (server.store.encodings - encodings) / rotations;
      const p99 = quantile(allMs, 0.99);
      return {
        method: `${rotations} rotations of one certificate to ${subscribers} streams on ${subscribers} connections of one other process, which answers when all have it; state of the world; from the publication, ms`,
        tables: [
          {
            title: "publication to",
            rows: [
              row("receipt, each subscriber", allMs),
              row("receipt, the last subscriber", lastMs),
              row("acknowledged by all", acknowledgedMs),
              row("CPU of the server, a rotation", cpu),
            ],
          },
        ],
        targets: [
          {
            what: `receipt, p99 of ${subscribers} subscribers`,
            wanted: `under ${wantedMs} ms`,
            measured: `${p99.toFixed(1)} ms`,
            met: p99 < wantedMs,
          },
          { what: "encodings a rotation", wanted: "1", measured: String(encoded), met: encoded === 1 },
        ],
        absent: [],
      };
    } finally {
      child.kill("SIGKILL");
    }
  },
};

function patience() {
  return {
    signal: AbortSignal.timeout(answerTimeoutMs),
    timeoutMs: answerTimeoutMs,
    clock: systemClock,
  };
}

function row(what: string, samples: readonly number[]): Record<string, string | number> {
  return {
    what,
    p50: quantile(samples, 0.5),
    p99: quantile(samples, 0.99),
    max: quantile(samples, 1),
  };
}

async function next(messages: AsyncIterator<unknown[]>): Promise<SubscribersMessage> {
  const result = await messages.next();
  if (result.done) throw new Error("the subscribers ended");
  return result.value[0] as SubscribersMessage;
}

function forkSubscribers(path: string): ChildProcess {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const script = join(import.meta.dirname, "load/sds-subscribers.ts");
  const child = fork(script, [path, String(subscribers), secret], { execArgv: ["--import", tsx] });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  void once(child, "exit").then(() => process.off("exit", kill));
  return child;
}

/** The monotonic clock, which all processes of a machine share. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
