import fc from "fast-check";
import { expect, test } from "vitest";
import type { Consumer } from "../src/consumer.ts";
import { startRotation } from "../src/rotation.ts";
import { createRotatingIdentity } from "./rotating-identity.ts";
import { collect, until } from "./waiting.ts";

const identity = createRotatingIdentity();
const own = identity.authority.certificates;
const both = [...own, ...createRotatingIdentity().authority.certificates];

/** What a call of a consumer does: fail, or take this many turns of the event loop. */
const behaviour = fc.oneof(fc.constant("throw" as const), fc.nat(3));
const script = fc.array(behaviour, { minLength: 1, maxLength: 20 });
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("rotate" as const), wait: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("refuse" as const), wait: fc.nat(6) }) },
);

test("property: whatever consumers do, the newest generation is reached, and each one has one end", async () => {
  const run = async (
    scripts: (number | "throw")[][],
    events: { do: "rotate" | "refuse"; wait: number }[],
  ) => {
    const lastLoaded = new Map<string, number>();
    const consumers = scripts.map((calls, index) => createConsumer(`c${index}`, calls, lastLoaded));
    const first = identity.source.current().number;
    await using rotation = startRotation(identity.source, consumers, {
      retry: { baseMs: 0.1, maxMs: 1 },
      keep: 1_000,
    });
    const records = collect(rotation);
    let refused = 0;
    for (const { do: action, wait } of events) {
      await turns(wait);
      if (action === "rotate") {
        identity.trust(identity.source.current().trust.certificates.length === 1 ? both : own);
      } else {
        refused += 1;
        identity.spoil();
      }
    }
    const newest = identity.source.current().number;
    const record = await rotation.whenComplete(newest);
    await until(() =>
      records.some(({ generation, outcome }) => generation === newest && outcome === "complete"),
    );

    expect(record.generation).toBe(newest);
    expect([...lastLoaded.values()]).toEqual(consumers.map(() => newest));
    expect(rotation.status()).toMatchObject({ generation: newest, loaded: newest, served: newest });
    // Older drains may still be under way, but none is beyond its own end.
    const ends = records.filter(({ outcome }) => outcome === "complete" || outcome === "superseded");
    expect(new Set(ends.map(({ generation }) => generation)).size).toBe(ends.length);
    const stalls = records.filter(({ outcome }) => outcome === "stalled");
    expect(new Set(stalls.map(({ generation }) => generation)).size).toBe(stalls.length);
    expect(records.filter(({ outcome }) => outcome === "refused").length).toBeLessThanOrEqual(refused);
    for (const { generation, stages, outcome } of ends) {
      const order = Object.values(stages).map((at) => at.getTime());
      expect(order).toEqual(order.toSorted((a, b) => a - b));
      if (outcome === "complete" && generation !== first) expect(stages.retired).toBeDefined();
      if (outcome === "superseded") expect(stages.served).toBeUndefined();
    }
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(script, { minLength: 1, maxLength: 3 }),
      fc.array(event, { maxLength: 12 }),
      run,
    ),
    { numRuns: 100 },
  );
});

function createConsumer(
  name: string,
  calls: readonly (number | "throw")[],
  lastLoaded: Map<string, number>,
): Consumer {
  let call = 0;
  const act = async (): Promise<void> => {
    const next = calls[call++];
    if (next === "throw") throw new Error(`${name} failed`);
    await turns(next ?? 0);
  };
  return {
    name,
    async load({ number }, signal) {
      await act();
      signal.throwIfAborted();
      lastLoaded.set(name, number);
    },
    async prove() {
      await act();
      return [];
    },
    async drain() {
      await act();
      return { connections: 0, closed: 0, cut: 0 };
    },
  };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
