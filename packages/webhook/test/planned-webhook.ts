import { type Answer, type KubeObject, type Lease, resources, type Secret } from "@newleaf/kube";
import { type Certificate, createTrustBundle, parseCertificates, validatePath } from "@newleaf/x509";
import { annotationNames } from "../src/annotations.ts";
import type { BundleTarget } from "../src/ca-bundle.ts";
import { targetType } from "../src/ca-bundle.ts";
import {
  type Findings,
  type LeaderPolicy,
  type Observation,
  readObservation,
} from "../src/leader-observation.ts";
import { planLeader } from "../src/leader-plan.ts";
import type { LeaderStep } from "../src/leader-step.ts";
import { prepareWrite } from "../src/leader-writes.ts";
import { sha256Hex } from "../src/lease-announcement.ts";
import type { Replica } from "../src/replica.ts";
import { secretText } from "../src/serving-certificate.ts";
import { createMemoryObjects, type MemoryObjects } from "./memory-objects.ts";

export const SECOND = 1_000;
export const DAY = 86_400 * SECOND;
const TARGETS: readonly BundleTarget[] = [
  { kind: "ValidatingWebhookConfiguration", name: "shop" },
  { kind: "CustomResourceDefinition", name: "orders.shop.example" },
];

export const POLICY: LeaderPolicy = {
  name: "shop-webhook",
  identity: "shop-0",
  token: "shop-0 1 a",
  names: annotationNames(),
  serving: { dnsNames: ["webhook.shop.svc"] },
  leafLifeMs: 30 * DAY,
  authorityLifeMs: 365 * DAY,
  backdateMs: 600 * SECOND,
  settleMs: 5 * SECOND,
  prove: true,
};

/** A replica as far as a leader can tell: it serves one certificate at a time, of what was stored and announced. */
interface PlannedReplica {
  readonly name: string;
  certHash: string | undefined;
  caHash: string | undefined;
  leaf: Certificate | undefined;
}

/**
 * A webhook in memory: leaders run by the plan alone, write by write; replicas load what is stored once it is
 * announced; and after every change every certificate that may be served is verified with every caBundle.
 */
export interface PlannedWebhook {
  readonly objects: MemoryObjects;
  readonly replicas: readonly PlannedReplica[];
  now: number;
  policy: LeaderPolicy;
  published: Observation["published"];
  readonly writes: string[];
  observe(): Findings;
  /** The next step, and how to carry it out if it is a write. */
  prepare(): { readonly step: LeaderStep; send(): Promise<Answer<KubeObject>> };
  /** Carries the next step out; what it was. */
  step(): Promise<LeaderStep>;
  /** Steps, lets replicas follow and time settle, until all is well, or so many writes are done. */
  converge(writes?: number): Promise<void>;
  replicasFollow(): void;
  /** Fails if some replica serves what some API server would refuse. */
  verify(): void;
  served(): Certificate;
}

export function createPlannedWebhook(of: { readonly replicas?: number } = {}): PlannedWebhook {
  const objects = createMemoryObjects();
  objects.set({
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "shop" },
    webhooks: [
      { name: "a.shop", clientConfig: {} },
      { name: "b.shop", clientConfig: {} },
    ],
  } as KubeObject);
  objects.set({
    kind: "CustomResourceDefinition",
    metadata: { name: "orders.shop.example" },
    spec: { conversion: { strategy: "Webhook", webhook: { clientConfig: {} } } },
  } as KubeObject);
  const replicas = Array.from(
    { length: of.replicas ?? 3 },
    (_, index): PlannedReplica => ({
      name: `shop-${index}`,
      certHash: undefined,
      caHash: undefined,
      leaf: undefined,
    }),
  );
  const proved = new Map<string, string>();
  const verified = new Set<string>();
  const { name, names } = POLICY;
  const secretsClient = objects.client(resources.secrets);
  const leasesClient = objects.client(resources.leases);
  const serving = (): Secret | undefined => objects.get("Secret", name);
  const lease = (): Lease | undefined => objects.get("Lease", name);

  const webhook: PlannedWebhook = {
    objects,
    replicas,
    now: Date.UTC(2030, 0, 1),
    policy: POLICY,
    published: undefined,
    writes: [],
    observe() {
      const found = readObservation(
        {
          authority: objects.get("Secret", `${name}-ca`),
          serving: serving(),
          lease: lease(),
          targets: TARGETS.map((target) => ({ target, object: objects.get(target.kind, target.name) })),
          replicas: replicas.map(
            (replica): Replica => ({ ...replica, uid: replica.name, address: undefined }),
          ),
          blocked: new Set(),
          proved,
          published: webhook.published,
        },
        webhook.policy,
        webhook.now,
      );
      if (!found.isPublished) webhook.published = undefined;
      else if (webhook.published?.caHash !== found.caHash) {
        webhook.published = { caHash: found.caHash, forMs: 0 };
      }
      return found;
    },
    prepare() {
      const found = webhook.observe();
      const step = planLeader(found);
      if (step.write === undefined)
        return { step, send: () => Promise.reject(new Error("nothing to write")) };
      const targets = (target: BundleTarget): ReturnType<typeof objects.client> =>
        objects.client(targetType(target));
      const send = prepareWrite(step, found, { secrets: secretsClient, leases: leasesClient, targets });
      return { step, send: () => send({}) };
    },
    async step() {
      const { step, send } = webhook.prepare();
      if (step.write === undefined) return step;
      const answer = await send();
      if (!answer.ok) throw new Error(`${step.why}: ${answer.status.message}`);
      webhook.writes.push(describe(step));
      webhook.verify();
      return step;
    },
    async converge(writes = Number.POSITIVE_INFINITY) {
      const end = webhook.writes.length + writes;
      for (let rounds = 0; rounds < 200; rounds++) {
        if (webhook.writes.length >= end) return;
        const step = await webhook.step();
        if (step.write !== undefined) continue;
        if (step.waitingFor === "renewal") return;
        if (step.waitingFor === "settled" && webhook.published) {
          webhook.published = { ...webhook.published, forMs: webhook.published.forMs + SECOND };
          webhook.now += SECOND;
        }
        if (step.waitingFor === "expired") webhook.now += DAY;
        for (const { uid, certHash = "" } of step.toProve) proved.set(uid, certHash);
        webhook.replicasFollow();
        webhook.verify();
      }
      throw new Error(`does not converge: ${JSON.stringify(planLeader(webhook.observe()))}`);
    },
    replicasFollow() {
      const annotations = lease()?.metadata?.annotations ?? {};
      const certHash = sha256Hex(secretText(serving(), "tls.crt"));
      const caHash = sha256Hex(secretText(serving(), "ca.crt"));
      if (annotations[names.certHash] !== certHash || annotations[names.caHash] !== caHash) return;
      const [leaf] = parseCertificates(secretText(serving(), "tls.crt"));
      for (const replica of replicas) Object.assign(replica, { certHash, caHash, leaf });
    },
    verify() {
      const bundles = TARGETS.flatMap(({ kind, name: target }) => bundlesIn(objects.get(kind, target)));
      const announced = serving();
      const annotations = lease()?.metadata?.annotations ?? {};
      const stored = secretText(announced, "tls.crt");
      // Whoever serves it now, and whoever is about to take what is announced.
      const leaves = replicas.flatMap(({ leaf }) => leaf ?? []);
      if (annotations[names.certHash] === sha256Hex(stored)) leaves.push(...parseCertificates(stored));
      for (const leaf of leaves) {
        for (const bundle of bundles) {
          const pair = leaf.sha256 + bundle;
          if (verified.has(pair)) continue;
          const trust = createTrustBundle(parseCertificates(bundle));
          const now = new Date(Math.min(webhook.now, leaf.notAfter.getTime()));
          const path = validatePath(leaf, trust, { now, purpose: "serverAuth" });
          if (!path.ok) throw new Error(`after ${webhook.writes.join(", ")}: ${path.message}`);
          verified.add(pair);
        }
      }
    },
    served() {
      const [first] = replicas;
      if (!first?.leaf) throw new Error("nothing is served");
      return first.leaf;
    },
  };
  return webhook;
}

function describe(step: LeaderStep): string {
  if (step.write === "authority") return step.change.to;
  if (step.write === "serving") return step.issue ? "issue" : "ca.crt";
  return step.write ?? "wait";
}

function bundlesIn(object: KubeObject | undefined): string[] {
  const found: string[] = [];
  JSON.stringify(object, (key, value) => {
    if (key === "caBundle") found.push(Buffer.from(String(value), "base64").toString());
    return value;
  });
  return found;
}
