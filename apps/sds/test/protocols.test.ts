// Whatever crosses on the way, an Envoy ends with what is current, and is sent nothing that it has been sent before.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDeltaStream } from "../src/delta-stream.ts";
import type { ProtocolStream } from "../src/protocol-stream.ts";
import { createSecretStore } from "../src/secret-store.ts";
import { createSotwStream } from "../src/sotw-stream.ts";
import { certificateContent } from "./secrets.ts";
import { type SimulatedEnvoy, simulateDelta, simulateSotw } from "./simulated-envoy.ts";

const NAMES = ["a", "b", "c"];
type Step =
  | { readonly kind: "publish"; readonly name: string }
  | { readonly kind: "want"; readonly names: readonly string[] }
  | { readonly kind: "send" | "hear" | "receive" | "refuse" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("publish" as const), name: fc.constantFrom(...NAMES) }),
  fc.record({ kind: fc.constant("want" as const), names: fc.subarray(NAMES) }),
  fc.record({
    kind: fc.constantFrom(
      "send" as const,
      "hear" as const,
      "receive" as const,
      "receive" as const,
      "refuse" as const,
    ),
  }),
);

/** Both directions are queues: every step moves one message on. */
function play<Q, R>(stream: ProtocolStream<Q, R>, envoy: SimulatedEnvoy<Q, R>, steps: readonly Step[]): void {
  const store = createSecretStore();
  const [toServer, toEnvoy]: [Q[], R[]] = [[], []];
  let published = 0;
  let sends = 0;
  let subscriptions = 0;
  const changes = new Map<string, number>();
  const move = (at: Step): boolean => {
    switch (at.kind) {
      case "publish":
        store.publish(new Map([[at.name, certificateContent(published % 40)]]));
        changes.set(at.name, (changes.get(at.name) ?? 0) + 1);
        published += 1;
        return true;
      case "want":
        subscriptions += at.names.filter((name) => !envoy.wanted.has(name)).length;
        toServer.push(envoy.want(at.names));
        return true;
      case "hear": {
        const request = toServer.shift();
        if (request !== undefined) expect(stream.receive(request).ok).toBe(true);
        return request !== undefined;
      }
      case "send": {
        const response = stream.next(store.get);
        if (response !== undefined) {
          toEnvoy.push(response);
          sends += envoy.read(response).length;
        }
        return response !== undefined;
      }
      case "receive":
      case "refuse": {
        const response = toEnvoy.shift();
        if (response !== undefined) toServer.push(envoy.answer(response, at.kind === "receive"));
        return response !== undefined;
      }
    }
  };
  for (const at of steps) move(at);
  while (move({ kind: "hear" }) || move({ kind: "send" }) || move({ kind: "receive" }));

  for (const name of envoy.wanted) {
    const current = store.get(name)?.resource.value;
    const held = envoy.refused.has(name) ? envoy.refused.get(name) : envoy.has.get(name);
    expect(held).toBe(current);
  }
  // Each secret goes out once for each subscription and once for each change, at most.
  const total = [...changes.values()].reduce((sum, count) => sum + count, 0);
  expect(sends).toBeLessThanOrEqual(total + subscriptions * 2);
  expect(stream.next(store.get)).toBeUndefined();
}

describe("with any interleaving, an Envoy ends with what is current", () => {
  test("state of the world", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) =>
        play(createSotwStream({ maxNames: 8 }), simulateSotw(), steps),
      ),
      { numRuns: 500 },
    );
  });

  test("delta", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) =>
        play(createDeltaStream({ maxNames: 8 }), simulateDelta(), steps),
      ),
      { numRuns: 500 },
    );
  });
});
