import {
  createKubeClient,
  electLeader,
  type Informer,
  type KubeClient,
  type KubeObject,
  type Lease,
  type Logger,
  type Pod,
  resources,
  type Secret,
  startInformer,
  valueOrThrow,
} from "@newleaf/kube";
import type { IdentitySource } from "@newleaf/rotation";
import {
  createKubernetesApi,
  createManualClock,
  type KubernetesApi,
  type ManualClock,
} from "@newleaf/testing";
import { createTrustBundle, parseCertificates, validatePath } from "@newleaf/x509";
import { annotationNames } from "../src/annotations.ts";
import { isOwnAuthority } from "../src/authority-state.ts";
import type { BundleTarget } from "../src/ca-bundle.ts";
import { followCertificate } from "../src/follower.ts";
import { type LeadCertificateOptions, leadCertificate } from "../src/leader.ts";
import type { LeaderStatus } from "../src/leader-status.ts";
import { createMemoryMount, type MemoryMount } from "./memory-mount.ts";
import { createTestProcess, type TestProcess } from "./test-process.ts";

export const NAMESPACE = "shop";
export const NAME = "shop-webhook";
export const NAMES = annotationNames();
const TARGETS: readonly BundleTarget[] = [
  { kind: "ValidatingWebhookConfiguration", name: "shop" },
  { kind: "MutatingWebhookConfiguration", name: "shop" },
];
const SECOND = 1_000;
/** The kubelet's: from a change of the Pod to the file, and without one. */
const SYNC_AFTER_PATCH_MS = 250;
const SYNC_PERIOD_MS = 60 * SECOND;
/** How long API servers may go on with an older caBundle, in this cluster. */
const BUNDLE_LAG_MS = 4 * SECOND;

export interface ClusterReplica {
  readonly name: string;
  readonly process: TestProcess;
  readonly mount: MemoryMount;
  readonly log: readonly LogLine[];
  readonly status: LeaderStatus | undefined;
  readonly leads: boolean;
  readonly source: IdentitySource | undefined;
  /** The end of the follower's start, as it came out. */
  readonly followed: Promise<IdentitySource>;
  /** SIGKILL, and the Pod is gone from the API as well. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Replicas of a webhook on the API server of the tests, on one clock: each stands for election, leads when elected and
 * follows; kubelets sync mounts late, or at once when a Pod is changed. Whenever a caBundle or a served certificate
 * changes, every pair that may meet is verified.
 */
export interface WebhookCluster extends AsyncDisposable {
  readonly api: KubernetesApi;
  readonly clock: ManualClock;
  readonly admin: KubeClient;
  readonly replicas: readonly ClusterReplica[];
  start(
    name: string,
    options?: Partial<LeadCertificateOptions> & { readonly skewMs?: number },
  ): ClusterReplica;
  leader(): ClusterReplica | undefined;
  /** Time passes in small steps until the condition holds; fails after `withinMs`. */
  until(condition: () => boolean | Promise<boolean>, withinMs?: number): Promise<void>;
  run(ms: number): Promise<void>;
  /** All live replicas serve what the Lease announces, and the leader has nothing to do. */
  converged(): Promise<boolean>;
  secret(name?: string): Promise<Secret | undefined>;
  lease(): Promise<Lease | undefined>;
  /** Annotates the CA Secret. */
  requestRollover(): Promise<void>;
  readonly failures: readonly string[];
}

export async function createWebhookCluster(
  of: {
    readonly defaults?: Partial<LeadCertificateOptions>;
    /** Where followers say what they have loaded. */
    readonly acknowledgement?: "pod" | "lease";
  } = {},
): Promise<WebhookCluster> {
  const clock = createManualClock();
  const random = seeded(7);
  const api = createKubernetesApi({ clock, random, managedFields: false });
  const admin = createKubeClient({
    transport: api.transport({ user: "admin" }),
    clock,
    random,
    rateLimit: false,
  });
  await seedObjects(admin);
  const secrets = admin.resource(resources.secrets, { namespace: NAMESPACE });
  const leases = admin.resource(resources.leases, { namespace: NAMESPACE });
  const pods = admin.resource(resources.pods, { namespace: NAMESPACE });
  const replicas = new Set<ClusterReplica>();
  const failures: string[] = [];
  const good = new Set<string>();
  const bundles: { readonly from: number; until: number; readonly bundle: string; readonly key: string }[] =
    [];
  const informers: Informer<never>[] = [];
  const follow = <T extends KubeObject>(
    resource: Parameters<typeof startInformer<T>>[0]["resource"],
    seen: (object: T) => void,
  ): void => {
    const informer = startInformer<T>({ resource, clock, random });
    informer.addHandler({ add: seen, update: (_old, object) => seen(object) });
    informers.push(informer as unknown as Informer<never>);
  };

  const verify = (): void => {
    for (const { source, name } of replicas) {
      if (!source) continue;
      const { leaf, chain } = source.current();
      for (const { bundle, until, key } of bundles) {
        if (until < clock.monotonic()) continue;
        const pair = `${leaf.sha256} ${key} ${bundle}`;
        if (good.has(pair) && clock.now() <= leaf.notAfter.getTime()) continue;
        const trust = createTrustBundle(parseCertificates(Buffer.from(bundle, "base64").toString()));
        const now = new Date(clock.now());
        const path = validatePath(leaf, trust, { now, purpose: "serverAuth", intermediates: chain });
        if (path.ok) good.add(pair);
        else if (failures.length < 20)
          failures.push(`${new Date(clock.now()).toISOString()} ${key} refuses ${name}: ${path.message}`);
      }
    }
  };
  const seenBundles = (object: KubeObject): void => {
    const key = `${object.kind}/${object.metadata?.name}`;
    const [bundle] = bundlesIn(object);
    const last = bundles.findLast((entry) => entry.key === key);
    if (last?.bundle === bundle) return;
    if (last) last.until = clock.monotonic() + BUNDLE_LAG_MS;
    // What somebody else has put there is not the webhook's fault.
    if (bundle && isOfLeaders(bundle))
      bundles.push({ key, bundle, from: clock.monotonic(), until: Number.POSITIVE_INFINITY });
    verify();
  };
  follow(admin.resource(resources.validatingWebhookConfigurations), seenBundles);
  follow(admin.resource(resources.mutatingWebhookConfigurations), seenBundles);

  const sync = async (name: string): Promise<void> => {
    const answer = await secrets.get(NAME);
    const replica = [...replicas].find((known) => known.name === name);
    if (!answer.ok || !replica) return;
    const octets = (file: string): Buffer => Buffer.from(answer.value.data?.[file] ?? "", "base64");
    replica.mount.write({ certificates: octets("tls.crt"), key: octets("tls.key"), trust: octets("ca.crt") });
  };
  follow<Pod>(pods, ({ metadata }) => {
    clock.setTimeout(() => void sync(metadata?.name ?? ""), SYNC_AFTER_PATCH_MS);
  });
  const periodic = (): void => {
    for (const { name } of replicas) void sync(name);
    clock.setTimeout(periodic, SYNC_PERIOD_MS);
  };
  clock.setTimeout(periodic, SYNC_PERIOD_MS);

  const cluster: WebhookCluster = {
    api,
    clock,
    admin,
    failures,
    get replicas() {
      return [...replicas];
    },
    start(name, { skewMs = 0, ...options } = {}) {
      const process = createTestProcess(name, clock, api);
      process.skewMs = skewMs;
      const replica = startReplica(
        name,
        process,
        { acknowledgement: of.acknowledgement ?? "pod", leader: { ...of.defaults, ...options } },
        verify,
      );
      replicas.add(replica);
      const kill = replica.kill;
      replica.kill = async () => {
        await kill();
        replicas.delete(replica);
        await pods.delete(name);
      };
      void pods
        .create(podOf(name))
        .then(() => pods.patch(name, { type: "merge", body: RUNNING }, { subresource: "status" }));
      return replica;
    },
    leader: () => [...replicas].find(({ leads }) => leads),
    async until(condition, withinMs = 120 * SECOND) {
      const end = clock.monotonic() + withinMs;
      while (!(await condition())) {
        if (clock.monotonic() > end)
          throw new Error(`not in time: ${String(condition)}; ${describe(cluster)}`);
        await clock.advance(100);
        verify();
      }
    },
    async run(ms) {
      const end = clock.monotonic() + ms;
      await cluster.until(() => clock.monotonic() >= end, ms + SECOND);
    },
    async converged() {
      const hash = (await cluster.lease())?.metadata?.annotations?.[NAMES.certHash];
      const leader = cluster.leader();
      const acknowledged = await Promise.all(
        [...replicas].map(async ({ name }) => {
          const said =
            of.acknowledgement === "lease" ? await leases.get(`${NAME}-${name}`) : await pods.get(name);
          return said.ok && said.value.metadata?.annotations?.[NAMES.acknowledgedCertHash] === hash;
        }),
      );
      const { doing, rollover, certHash } = leader?.status ?? {};
      return (
        doing === "renewal" &&
        !rollover &&
        hash !== undefined &&
        certHash === hash &&
        acknowledged.every(Boolean)
      );
    },
    async secret(name = NAME) {
      const answer = await secrets.get(name);
      return answer.ok ? answer.value : undefined;
    },
    async lease() {
      const answer = await leases.get(NAME);
      return answer.ok ? answer.value : undefined;
    },
    async requestRollover() {
      const body = { metadata: { annotations: { [NAMES.rolloverRequested]: "now" } } };
      valueOrThrow(await secrets.patch(`${NAME}-ca`, { type: "merge", body }), "annotate");
    },
    async [Symbol.asyncDispose]() {
      const stopping = [...replicas].map((replica) => replica.stop());
      for (let n = 0; n < 40; n++) await clock.advance(500);
      await Promise.all(stopping);
      await Promise.all(informers.map((informer) => informer[Symbol.asyncDispose]()));
      await admin[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
  return cluster;
}

function startReplica(
  name: string,
  process: TestProcess,
  of: { readonly acknowledgement: "pod" | "lease"; readonly leader: Partial<LeadCertificateOptions> },
  onChange: () => void,
): { -readonly [K in keyof ClusterReplica]: ClusterReplica[K] } {
  const { clock, transport } = process;
  const random = seeded(hashOf(name));
  const log: LogLine[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void log.push({ level, message, fields: fields as Record<string, unknown> });
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  const client = createKubeClient({ transport, clock, random, rateLimit: false });
  const leases = client.resource(resources.leases, { namespace: NAMESPACE });
  const pods = client.resource(resources.pods, { namespace: NAMESPACE });
  const stopping = new AbortController();
  const mount = createMemoryMount();
  const followed = Promise.resolve().then(() =>
    followCertificate({
      ...{ leases, name: NAME, clock, logger, random },
      mount: mount.open,
      acknowledge: { pod: { name }, ...(of.acknowledgement === "lease" ? { leases } : { pods }) },
      signal: stopping.signal,
    }),
  );
  let killed = false;
  const replica: { -readonly [K in keyof ClusterReplica]: ClusterReplica[K] } = {
    ...{ name, process, mount, log, followed },
    status: undefined,
    leads: false,
    source: undefined,
    async kill() {
      killed = true;
      process.kill();
      replica.leads = false;
      replica.source = undefined;
    },
    async stop() {
      if (killed) return;
      stopping.abort(new Error("stopped"));
      await replica.source?.[Symbol.asyncDispose]();
      await Promise.all([leading, following]);
      await client[Symbol.asyncDispose]();
    },
  };

  const leading = electLeader({
    leases,
    name: `${NAME}-leader`,
    identity: name,
    clock,
    logger,
    random,
    signal: stopping.signal,
    async lead(leadership) {
      replica.leads = true;
      try {
        await leadCertificate({
          ...{ client, namespace: NAMESPACE, name: NAME, identity: name, leadership, clock, logger, random },
          serving: { dnsNames: ["webhook.shop.svc"] },
          targets: TARGETS,
          replicas: { labelSelector: "app=shop-webhook", acknowledgement: of.acknowledgement },
          onStatus: (status) => {
            replica.status = status;
          },
          ...of.leader,
        });
      } finally {
        replica.leads = false;
      }
    },
  });
  const following = followed.then(
    async (source) => {
      replica.source = source;
      for await (const _ of source.watch(stopping.signal)) onChange();
    },
    () => {},
  );
  return replica;
}

const RUNNING = { status: { phase: "Running", podIP: "10.0.0.1" } };

function podOf(name: string): Pod {
  return {
    metadata: { name, labels: { app: NAME } },
    spec: { containers: [{ name: "webhook", image: "webhook" }] },
  };
}

async function seedObjects(admin: KubeClient): Promise<void> {
  const namespaces = admin.resource(resources.namespaces);
  valueOrThrow(await namespaces.create({ metadata: { name: NAMESPACE } }), "create namespace");
  const webhooks = [
    {
      name: "orders.shop.example",
      clientConfig: { service: { namespace: NAMESPACE, name: "webhook" } },
      admissionReviewVersions: ["v1"],
      sideEffects: "None" as const,
    },
  ];
  const validating = admin.resource(resources.validatingWebhookConfigurations);
  const mutating = admin.resource(resources.mutatingWebhookConfigurations);
  valueOrThrow(await validating.create({ metadata: { name: "shop" }, webhooks }), "create");
  valueOrThrow(await mutating.create({ metadata: { name: "shop" }, webhooks }), "create");
}

function bundlesIn(object: KubeObject): string[] {
  const found: string[] = [];
  JSON.stringify(object, (key, value) => {
    if (key === "caBundle" && typeof value === "string") found.push(value);
    return value;
  });
  return found;
}

function isOfLeaders(bundle: string): boolean {
  const certificates = parseCertificates(Buffer.from(bundle, "base64").toString());
  return certificates.every((certificate) => isOwnAuthority(certificate, NAME));
}

function describe(cluster: WebhookCluster): string {
  const replicas = cluster.replicas.map(({ name, leads, status, log }) => ({
    name,
    leads,
    status,
    log: log.slice(-12).map(({ level, message, fields }) => `${level} ${message} ${JSON.stringify(fields)}`),
  }));
  return JSON.stringify({ replicas, failures: cluster.failures.slice(0, 5) }, undefined, 1);
}

/** Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function hashOf(text: string): number {
  return [...text].reduce((hash, character) => Math.imul(hash, 31) + character.charCodeAt(0), 7);
}
