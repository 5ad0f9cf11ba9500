import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

/** The first line that an informer writes. */
export interface Synced {
  readonly objects: number;
  /** From its start until everything is in its store. */
  readonly ms: number;
  readonly cpuMs: number;
  /** Before that: of the process and its imports. */
  readonly startCpuMs: number;
  /** The longest that the event loop stood still; 0 where there is none. */
  readonly blockedMs: number;
  /** The most CPU time between two of its turns, all threads together: of a block what the machine did not give to others. */
  readonly blockedCpuMs?: number;
}

/** Each line that it reads; it answers with an empty object, and with `Counted` when it has seen so many updates. */
export interface CountRequest {
  readonly expect: number;
}

export interface Counted {
  readonly events: number;
  readonly cpuMs: number;
  readonly blockedMs: number;
}

const tickMs = 5;

/**
 * Runs one informer for the bench, over stdin and stdout. `start` resolves once it has synced, with how many objects
 * there are, and calls `onUpdate` for each update.
 */
export async function measureInformer(start: (onUpdate: () => void) => Promise<number>): Promise<void> {
  const loop = watchLoop();
  let [events, expected] = [0, Number.POSITIVE_INFINITY];
  let counted = (): void => {};
  const startCpuMs = cpuMs();
  const startedMs = performance.now();
  const objects = await start(() => {
    events += 1;
    if (events === expected) counted();
  });
  const measured = { ms: performance.now() - startedMs, cpuMs: cpuMs() - startCpuMs };
  say({ objects, ...measured, startCpuMs, ...(await loop.takeLongest()) } satisfies Synced);

  for await (const line of createInterface({ input: process.stdin })) {
    const { expect } = JSON.parse(line) as CountRequest;
    const whenCounted = new Promise<void>((resolve) => {
      counted = resolve;
    });
    [events, expected] = [0, expect];
    await loop.takeLongest();
    const before = cpuMs();
    say({});
    await whenCounted;
    const spentMs = cpuMs() - before;
    say({ events, cpuMs: spentMs, ...(await loop.takeLongest()) } satisfies Counted);
  }
}

interface Blocked {
  readonly blockedMs: number;
  readonly blockedCpuMs: number;
}

function watchLoop(): { takeLongest(): Promise<Blocked> } {
  let longest: Blocked = { blockedMs: 0, blockedCpuMs: 0 };
  let [lastMs, lastCpuMs] = [performance.now(), cpuMs()];
  setInterval(() => {
    const [nowMs, nowCpuMs] = [performance.now(), cpuMs()];
    longest = {
      blockedMs: Math.max(longest.blockedMs, nowMs - lastMs - tickMs),
      blockedCpuMs: Math.max(longest.blockedCpuMs, nowCpuMs - lastCpuMs),
    };
    [lastMs, lastCpuMs] = [nowMs, nowCpuMs];
  }, tickMs).unref();
  return {
    async takeLongest() {
      // Until the next tick has seen what there was.
      await delay(3 * tickMs);
      const taken = longest;
      longest = { blockedMs: 0, blockedCpuMs: 0 };
      return taken;
    },
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
