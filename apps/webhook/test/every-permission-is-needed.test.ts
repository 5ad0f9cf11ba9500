import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { resources, systemClock } from "@newleaf/kube";
import { createKubelet, kubeletVolumePath, writeKubeletVolumes } from "@newleaf/testing";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { ACCOUNT, createWebhookWorld, NAME, NAMESPACE, type WebhookWorld } from "./webhook-world.ts";

/** What RBAC grants in deploy/manifests/webhook.yaml, a verb and a name at a time, and what comes to nothing without it. */
const needed = {
  "create secrets": "repair",
  [`get secrets/${NAME}`]: "first certificate",
  [`list secrets/${NAME}`]: "first certificate",
  [`watch secrets/${NAME}`]: "being told",
  [`patch secrets/${NAME}`]: "first certificate",
  [`get secrets/${NAME}-ca`]: "first certificate",
  [`list secrets/${NAME}-ca`]: "first certificate",
  [`watch secrets/${NAME}-ca`]: "being told",
  [`patch secrets/${NAME}-ca`]: "first certificate",
  "create leases": "repair",
  [`get leases/${NAME}`]: "first certificate",
  [`list leases/${NAME}`]: "first certificate",
  [`watch leases/${NAME}`]: "being told",
  [`patch leases/${NAME}`]: "first certificate",
  [`get leases/${NAME}-leader`]: "first certificate",
  [`update leases/${NAME}-leader`]: "first certificate",
  "list pods": "first certificate",
  "watch pods": "being told",
  "patch pods": "first certificate",
  [`get validatingwebhookconfigurations/${NAME}`]: "first certificate",
  [`list validatingwebhookconfigurations/${NAME}`]: "first certificate",
  [`watch validatingwebhookconfigurations/${NAME}`]: "being told",
  [`patch validatingwebhookconfigurations/${NAME}`]: "first certificate",
} satisfies Record<string, Behaviour>;

/** Being told: hearing of changes, instead of asking for them again and again. */
type Behaviour = "first certificate" | "being told" | "repair" | "rollover";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Shipped {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly Rule[];
}

interface Grant {
  readonly words: string;
  readonly kind: "Role" | "ClusterRole";
  readonly rule: Rule;
}

const objects = shipped();
const grants = objects.flatMap(({ kind, rules = [] }) =>
  rules.flatMap((rule) => grantsOf(kind as Grant["kind"], rule)),
);

test("the table names each single thing that is granted", () => {
  expect(grants.map(({ words }) => words).sort()).toEqual(Object.keys(needed).sort());
});

test("with all of it everything works, and nothing is forbidden", { timeout: 60_000 }, async () => {
  await using world = await createWebhookWorld({ authorization: "rbac" });
  expect(await firstBroken(world, grants)).toBeUndefined();
  expect(forbidden(world)).toEqual([]);
});

test("without any one of them something breaks, and that alone is forbidden", {
  timeout: 90_000,
}, async () => {
  const broken: { without: string; behaviour: Behaviour | undefined; forbidden: string[] }[] = [];
  const left = grants.map(({ words }) => words);
  const work = async (): Promise<void> => {
    for (let without = left.shift(); without !== undefined; without = left.shift()) {
      await using world = await createWebhookWorld({ authorization: "rbac" });
      const others = grants.filter(({ words }) => words !== without);
      const behaviour = await firstBroken(world, others);
      broken.push({ without, behaviour, forbidden: [...new Set(forbidden(world))] });
    }
  };
  // They mostly wait.
  await Promise.all(Array.from({ length: 6 }, work));
  expect(Object.fromEntries(broken.map(({ without, behaviour }) => [without, behaviour]))).toEqual(needed);
  for (const { without, forbidden } of broken) expect(forbidden).toEqual([without]);
});

/** One replica, its Secret mounted by a kubelet that comes late unless its Pod is updated: what it fails at first. */
async function firstBroken(world: WebhookWorld, granted: readonly Grant[]): Promise<Behaviour | undefined> {
  install(world, granted);
  const pod = `${NAME}-0`;
  const directory = kubeletVolumePath(world.directory, pod, "certs", NAMESPACE);
  const replica = await world.replica(pod, ["--certs", directory, "--cert-timeout", "5s"]);
  await using _node = startNode(world);
  const secrets = world.admin.resource(resources.secrets, { namespace: NAMESPACE });
  const acknowledged = (): Promise<void> => eventually(() => isAcknowledged(world, pod));
  const behaviours: Record<Behaviour, () => Promise<void>> = {
    "first certificate": () => replica.ready,
    async "being told"() {
      await acknowledged();
      expect(forbidden(world).filter((words) => words.startsWith("watch"))).toEqual([]);
      const since = callsOf(world).length;
      await sleep(1_000);
      const idle = [`get leases/${NAME}-leader`, `update leases/${NAME}-leader`];
      expect(
        callsOf(world)
          .slice(since)
          .filter(({ words }) => !idle.includes(words)),
      ).toEqual([]);
    },
    async repair() {
      world.api.store.delete("leases.coordination.k8s.io", NAMESPACE, NAME);
      await acknowledged();
      const before = await replica.serving();
      world.api.store.delete("secrets", NAMESPACE, NAME);
      await eventually(async () => ![undefined, before].includes(await replica.serving()));
      await acknowledged();
    },
    async rollover() {
      const annotations = { "newleaf.dev/rollover-requested": "now" };
      await secrets.patch(`${NAME}-ca`, { type: "merge", body: { metadata: { annotations } } });
      await eventually(async () => {
        const left = Object.keys((await world.secret(`${NAME}-ca`))?.metadata?.annotations ?? {});
        return !left.some((name) => name.startsWith("newleaf.dev/rollover"));
      });
    },
  };
  for (const [name, works] of Object.entries(behaviours)) {
    const failed = await works().then(
      () => false,
      () => true,
    );
    if (failed) return name as Behaviour;
  }
  return undefined;
}

async function eventually(check: () => Promise<boolean>): Promise<void> {
  await expect.poll(check, { timeout: 8_000, interval: 50 }).toBe(true);
}

async function isAcknowledged({ api, lease }: WebhookWorld, pod: string): Promise<boolean> {
  const announced = (await lease())?.metadata?.annotations?.["newleaf.dev/cert-hash"];
  const { annotations = {} } = api.store.get("pods", NAMESPACE, pod)?.metadata ?? {};
  return announced !== undefined && annotations["newleaf.dev/acknowledged-cert-hash"] === announced;
}

function startNode({ api, directory }: WebhookWorld): AsyncDisposable {
  const write = writeKubeletVolumes(directory);
  let written: Promise<unknown> = Promise.resolve();
  const kubelet = createKubelet({
    ...{ store: api.store, clock: systemClock, random: Math.random, nodeName: "node" },
    reactionMs: [20, 40],
    write(...of) {
      const one = write(...of);
      written = Promise.allSettled([written, one]);
      return one;
    },
  });
  return {
    async [Symbol.asyncDispose]() {
      kubelet[Symbol.dispose]();
      await written;
    },
  };
}

/** What the webhook's account asked for, in the words of the table. */
function callsOf({ api }: WebhookWorld): readonly { readonly words: string; readonly code: number }[] {
  return api.audit.entries
    .filter(({ user, resource }) => user === ACCOUNT && resource !== "selfsubjectaccessreviews")
    .map(({ verb, resource, name, code }) => {
      const any = verb === "create" || resource === "pods" || name === undefined;
      return { words: any ? `${verb} ${resource}` : `${verb} ${resource}/${name}`, code };
    });
}

function forbidden(world: WebhookWorld): readonly string[] {
  return callsOf(world).flatMap(({ words, code }) => (code === 403 ? [words] : []));
}

function shipped(): readonly Shipped[] {
  const text = readFileSync(new URL("../../../deploy/manifests/webhook.yaml", import.meta.url), "utf8");
  return parseAllDocuments(text).map((document) => document.toJS() as Shipped);
}

/** A rule for each verb and name. */
function grantsOf(kind: Grant["kind"], { apiGroups, resources, resourceNames, verbs }: Rule): Grant[] {
  return resources.flatMap((resource) =>
    verbs.flatMap((verb) =>
      (resourceNames ?? [undefined]).map((name) => ({
        kind,
        words: name === undefined ? `${verb} ${resource}` : `${verb} ${resource}/${name}`,
        rule: {
          ...{ apiGroups, resources: [resource], verbs: [verb] },
          ...(name !== undefined && { resourceNames: [name] }),
        },
      })),
    ),
  );
}

/** The Secrets and Leases of the manifest, and of what its roles grant this. */
function install({ api }: WebhookWorld, granted: readonly Grant[]): void {
  const empty = { Secret: "secrets", Lease: "leases.coordination.k8s.io" } as const;
  for (const { kind, metadata } of objects) {
    if (kind !== "Secret" && kind !== "Lease") continue;
    api.store.create(empty[kind], { metadata: { name: metadata.name, namespace: NAMESPACE } });
  }
  for (const kind of ["Role", "ClusterRole"] as const) {
    const metadata = { name: NAME, ...(kind === "Role" && { namespace: NAMESPACE }) };
    const rules = granted.filter((one) => one.kind === kind).map(({ rule }) => rule);
    api.store.create(`${kind.toLowerCase()}s.rbac.authorization.k8s.io`, { metadata, rules: rules as never });
    api.store.create(`${kind.toLowerCase()}bindings.rbac.authorization.k8s.io`, {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: NAME },
      subjects: [{ kind: "ServiceAccount", name: NAME, namespace: NAMESPACE }],
    });
  }
}
