import { type KubeList, type KubeObject, resources } from "@newleaf/kube";
import { expect } from "vitest";
import { configMap, deployment } from "./objects.ts";
import { ok, refusal, type Scenario, type ScenarioContext, versionOf } from "./scenario.ts";

async function createSome({ of }: ScenarioContext, count: number): Promise<void> {
  for (let i = 1; i <= count; i++) {
    const labels = { number: String(i), parity: i % 2 === 0 ? "even" : "odd" };
    ok(await of(resources.configMaps).create(configMap(`a${i}`, {}, { labels })));
  }
}

const namesOf = ({ items }: KubeList<KubeObject>): (string | undefined)[] =>
  items.map(({ metadata }) => metadata?.name);

export const listing: readonly Scenario[] = [
  {
    name: "list: in the order of names, with the version of the whole, and nothing is a list too",
    async run(context) {
      const configMaps = context.of(resources.configMaps);
      const empty = ok(await configMaps.list());
      expect(empty.items).toEqual([]);
      expect(empty.metadata.resourceVersion).toMatch(/^\d+$/);
      await createSome(context, 3);
      const list = ok(await configMaps.list());
      expect(namesOf(list)).toEqual(["a1", "a2", "a3"]);
      const last = Math.max(...list.items.map((item) => Number(versionOf(item))));
      expect(Number(list.metadata.resourceVersion)).toBeGreaterThanOrEqual(last);
      expect(list.items[0]).toEqual(ok(await configMaps.get("a1")));
    },
  },
  {
    name: "list: of all namespaces",
    async run(context) {
      await createSome(context, 2);
      const all = context.admin.resource(resources.configMaps);
      const list = ok(await all.list({ labelSelector: "parity=odd", fieldSelector: "metadata.name=a1" }));
      const here = list.items.filter(({ metadata }) => metadata?.namespace === context.namespace);
      expect(here.map(({ metadata }) => metadata?.name)).toEqual(["a1"]);
    },
  },
  {
    name: "list: label selectors",
    async run(context) {
      await createSome(context, 4);
      const select = async (labelSelector: string) =>
        namesOf(ok(await context.of(resources.configMaps).list({ labelSelector })));
      expect(await select("parity=even")).toEqual(["a2", "a4"]);
      expect(await select("parity!=even")).toEqual(["a1", "a3"]);
      expect(await select("number in (1,4),parity")).toEqual(["a1", "a4"]);
      expect(await select("number notin (1,4)")).toEqual(["a2", "a3"]);
      expect(await select("!parity")).toEqual([]);
      const bad = refusal(await context.of(resources.configMaps).list({ labelSelector: "a in (" }));
      expect(bad).toMatchObject({ code: 400, reason: "BadRequest" });
      expect(bad.message).toMatch(/^unable to parse requirement: /);
    },
  },
  {
    name: "list: field selectors, of fields that can be selected",
    async run(context) {
      await createSome(context, 3);
      const configMaps = context.of(resources.configMaps);
      expect(namesOf(ok(await configMaps.list({ fieldSelector: "metadata.name=a2" })))).toEqual(["a2"]);
      expect(namesOf(ok(await configMaps.list({ fieldSelector: "metadata.name!=a2" })))).toEqual([
        "a1",
        "a3",
      ]);
      expect(refusal(await configMaps.list({ fieldSelector: "data.k=1" }))).toMatchObject({
        code: 400,
        reason: "BadRequest",
        message: '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"',
      });
    },
  },
  {
    name: "list: pages show one state, whatever changes meanwhile",
    async run(context) {
      await createSome(context, 5);
      const configMaps = context.of(resources.configMaps);
      const first = ok(await configMaps.list({ limit: 2 }));
      expect(namesOf(first)).toEqual(["a1", "a2"]);
      expect(first.metadata.remainingItemCount).toBe(3);
      ok(await configMaps.delete("a3"));
      ok(await configMaps.create(configMap("a31")));
      const second = ok(await configMaps.list({ limit: 2, continue: first.metadata.continue ?? "" }));
      expect(namesOf(second)).toEqual(["a3", "a4"]);
      expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      const third = ok(await configMaps.list({ limit: 2, continue: second.metadata.continue ?? "" }));
      expect(namesOf(third)).toEqual(["a5"]);
      expect(third.metadata.continue).toBeUndefined();
      expect(third.metadata.remainingItemCount).toBeUndefined();
    },
  },
  {
    name: "list: no count of what remains is known with a selector",
    async run(context) {
      await createSome(context, 5);
      const page = ok(await context.of(resources.configMaps).list({ limit: 1, labelSelector: "parity=odd" }));
      expect(namesOf(page)).toEqual(["a1"]);
      expect(page.metadata.continue).toBeTruthy();
      expect(page.metadata.remainingItemCount).toBeUndefined();
    },
  },
  {
    name: 'list: at version "0" everything comes, whatever the limit',
    async run(context) {
      await createSome(context, 3);
      const configMaps = context.of(resources.configMaps);
      // The newest first, so that what serves "0" has it too.
      ok(await configMaps.list());
      const list = ok(await configMaps.list({ resourceVersion: "0", limit: 1 }));
      expect(namesOf(list)).toEqual(["a1", "a2", "a3"]);
      expect(list.metadata.continue).toBeUndefined();
    },
  },
  {
    name: "list: a continue token of a forgotten state is 410 Expired, and so is that state",
    async run(context) {
      await createSome(context, 3);
      const configMaps = context.of(resources.configMaps);
      const first = ok(await configMaps.list({ limit: 1 }));
      ok(await configMaps.update(configMap("a1", { k: "1" })));
      await context.forgetHistory();
      const expired = refusal(await configMaps.list({ limit: 1, continue: first.metadata.continue ?? "" }));
      expect(expired).toMatchObject({ code: 410, reason: "Expired" });
      expect(expired.message).toMatch(
        /^The provided continue parameter is too old to display a consistent list result/,
      );
      const { resourceVersion } = first.metadata;
      const exact = await configMaps.list({ resourceVersion, resourceVersionMatch: "Exact", limit: 1 });
      expect(refusal(exact)).toMatchObject({ code: 410, reason: "Expired" });
      expect(namesOf(ok(await configMaps.list()))).toEqual(["a1", "a2", "a3"]);
    },
  },
  {
    name: "list: Exact is the state of that version, NotOlderThan that or a later one",
    async run(context) {
      await createSome(context, 2);
      const configMaps = context.of(resources.configMaps);
      const { resourceVersion } = ok(await configMaps.list()).metadata;
      ok(await configMaps.delete("a1"));
      const at = (resourceVersionMatch: "Exact" | "NotOlderThan") =>
        configMaps.list({ resourceVersion, resourceVersionMatch });
      const exact = ok(await at("Exact"));
      expect(namesOf(exact)).toEqual(["a1", "a2"]);
      expect(exact.metadata.resourceVersion).toBe(resourceVersion);
      const later = ok(await at("NotOlderThan"));
      expect(Number(later.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(resourceVersion));
    },
  },
  {
    name: "list: version rules that contradict each other are 422",
    async run({ of }) {
      const configMaps = of(resources.configMaps);
      const noVersion = refusal(await configMaps.list({ resourceVersionMatch: "Exact" }));
      expect(noVersion).toMatchObject({ code: 422, reason: "Invalid" });
      expect(noVersion.message).toContain(
        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
      );
      const zero = refusal(await configMaps.list({ resourceVersion: "0", resourceVersionMatch: "Exact" }));
      expect(zero.message).toContain(
        'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
      );
      const word = refusal(await configMaps.list({ resourceVersion: "newest" }));
      expect(word.message).toContain('resourceVersion: Invalid value: "newest"');
    },
  },
  {
    name: "list: a bad continue token is 400",
    async run({ of }) {
      expect(refusal(await of(resources.configMaps).list({ limit: 1, continue: "bad!" }))).toMatchObject({
        code: 400,
        reason: "BadRequest",
        message: expect.stringMatching(/^invalid continue token: /),
      });
    },
  },
  {
    name: "list: what was read at scale is what was written",
    async run({ of }) {
      const created = ok(await of(resources.deployments).create(deployment("web")));
      const [listed] = ok(await of(resources.deployments).list()).items;
      expect(listed).toEqual(created);
    },
  },
];
