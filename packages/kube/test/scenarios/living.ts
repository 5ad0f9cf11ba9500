import { electLeader, type Leadership, resources, startInformer } from "@newleaf/kube";
import { expect } from "vitest";
import { configMap } from "./objects.ts";
import { eventually, ok, type Scenario, type ScenarioContext } from "./scenario.ts";

interface Candidate {
  readonly terms: readonly Leadership[];
  stop(): Promise<void>;
}

function stand({ of }: ScenarioContext, identity: string): Candidate {
  const abort = new AbortController();
  const terms: Leadership[] = [];
  const done = electLeader({
    leases: of(resources.leases),
    name: "lock",
    identity,
    leaseDurationMs: 2_000,
    renewDeadlineMs: 1_500,
    retryPeriodMs: 100,
    signal: abort.signal,
    lead(leadership) {
      terms.push(leadership);
      return new Promise((resolve) => leadership.signal.addEventListener("abort", () => resolve()));
    },
  });
  return {
    terms,
    stop() {
      abort.abort(new Error("stopped"));
      return done;
    },
  };
}

const isHeld = ({ terms }: Candidate): boolean => (terms.at(-1)?.remainingMs() ?? 0) > 0;

export const living: readonly Scenario[] = [
  {
    name: "leader election: one of two leads, and the other as soon as the first gives it up",
    async run(context) {
      const [a, b] = [stand(context, "a"), stand(context, "b")];
      await eventually("a leader", () => isHeld(a) || isHeld(b));
      const [first, second, name] = isHeld(a) ? [a, b, "b"] : [b, a, "a"];
      expect(isHeld(second)).toBe(false);
      await first.stop();
      await eventually("the other leads", () => isHeld(second));
      const lease = ok(await context.of(resources.leases).get("lock"));
      expect(lease.spec).toMatchObject({
        holderIdentity: name,
        leaseTransitions: 1,
        leaseDurationSeconds: 2,
      });
      expect(second.terms[0]?.term).toBe(1);
      await second.stop();
      const released = ok(await context.of(resources.leases).get("lock"));
      expect(released.spec).toMatchObject({
        holderIdentity: "",
        leaseDurationSeconds: 1,
        leaseTransitions: 1,
      });
    },
  },
  {
    name: "leader election: a deleted Lease ends the term and begins another",
    async run(context) {
      const a = stand(context, "a");
      await eventually("a leader", () => isHeld(a));
      ok(await context.of(resources.leases).delete("lock"));
      await eventually("another term", () => a.terms.length === 2);
      expect(a.terms.map(({ term, signal }) => [term, signal.aborted])).toEqual([
        [0, true],
        [1, false],
      ]);
      await a.stop();
    },
  },
  {
    name: "leader election: annotations of others stay",
    async run(context) {
      const a = stand(context, "a");
      await eventually("a leader", () => isHeld(a));
      const leases = context.of(resources.leases);
      const annotations = { "example.com/cert-hash": "abc" };
      ok(await leases.patch("lock", { type: "merge", body: { metadata: { annotations } } }));
      const renewTime = async () => ok(await leases.get("lock")).spec?.renewTime;
      const before = await renewTime();
      await eventually("a renewal", async () => (await renewTime()) !== before);
      expect(ok(await leases.get("lock")).metadata?.annotations).toEqual(annotations);
      await a.stop();
    },
  },
  {
    name: "informer: goes on after the API server has restarted and forgotten its history",
    async run(context) {
      const configMaps = context.of(resources.configMaps);
      const names = ["a", "b"];
      for (const name of names) ok(await configMaps.create(configMap(name)));
      const events: string[] = [];
      await using informer = startInformer({ resource: configMaps });
      informer.addHandler({
        add: (object) => void events.push(`add ${object.metadata?.name}`),
        update: (_old, object) => void events.push(`update ${object.metadata?.name}`),
        delete: (object) => void events.push(`delete ${object.metadata?.name}`),
      });
      await eventually("both are there", () => events.length === 2);
      await context.forgetHistory();
      ok(await configMaps.update(configMap("a", { k: "1" })));
      ok(await configMaps.delete("b"));
      ok(await configMaps.create(configMap("c")));
      await eventually("all is seen", () => events.length === 5);
      expect(events.slice(0, 2)).toEqual(["add a", "add b"]);
      expect(events.slice(2).sort()).toEqual(["add c", "delete b", "update a"]);
      expect(
        informer
          .list()
          .map(({ metadata }) => metadata?.name)
          .sort(),
      ).toEqual(["a", "c"]);
    },
  },
];
