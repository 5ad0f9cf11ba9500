import {
  type ConnectKubeOptions,
  connectKube,
  defineResource,
  type KubeClient,
  KubeError,
  type KubeObject,
  type Lease,
  type Pod,
  type ResourceType,
  resources,
} from "@newleaf/kube";
import { annotationNames, type BundleTarget } from "@newleaf/webhook";
import type { CallerFacts, ElectionFacts, ReplicaFacts, Seen, WebhookFacts } from "../webhook-facts.ts";
import { createAsker, type KubeAsker } from "./kube-asker.ts";
import { lookAtPermissions } from "./look-at-permissions.ts";
import { type CallersOf, callersIn } from "./webhook-callers.ts";
import { announcementFacts, authorityFacts, electionFacts, servingSecretFacts } from "./webhook-objects.ts";
import { replicaFacts } from "./webhook-replicas.ts";

export interface WebhookLook {
  /** Of Lease and Secret. */
  readonly name: string;
  /** The context's by default. */
  readonly namespace?: string | undefined;
  /** The Service that it is called by; by default its name. */
  readonly service?: string | undefined;
  /** Of its Pods; `app.kubernetes.io/name=NAME` by default. */
  readonly selector?: string | undefined;
  /** Of annotations. */
  readonly annotationPrefix?: string | undefined;
}

export interface WebhookConnection
  extends Pick<ConnectKubeOptions, "kubeconfig" | "context" | "env" | "logger"> {
  /** For each request. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Looks at one webhook's certificate through the API server; rejects with ERR_KUBE_CONFIG only. */
export async function lookAtWebhook(look: WebhookLook, of: WebhookConnection): Promise<WebhookFacts> {
  const { namespace } = look;
  const userAgent = "newleaf-doctor";
  await using kube = await connectKube({ ...of, namespace, userAgent });
  return await askForWebhook(kube.client, { ...look, namespace: kube.namespace }, of);
}

async function askForWebhook(
  client: KubeClient,
  look: WebhookLook & { readonly namespace: string },
  { timeoutMs, signal }: WebhookConnection,
): Promise<WebhookFacts> {
  const { name, namespace, service = name, selector = `app.kubernetes.io/name=${name}` } = look;
  const names = annotationNames(look.annotationPrefix);
  const about = { name, namespace, service, selector, names };
  const asker = createAsker(client, { timeoutMs, signal });
  const failure = await unreachable(asker, namespace, name);
  if (failure !== undefined) return { ...about, failure, ...nothingKnown };
  const [election, lease, secret, authority, replicas] = await Promise.all([
    lookAtElection(asker, { namespace, name: `${name}-leader`, timeoutMs, signal }),
    asker.one(resources.leases, name, namespace),
    asker.one(resources.secrets, name, namespace),
    asker.one(resources.secrets, `${name}-ca`, namespace),
    lookAtReplicas(asker, about),
  ]);
  const seen = {
    lease: read(lease, (it) => announcementFacts(it, names)),
    secret: read(secret, (it) => servingSecretFacts(it, names)),
    authority: read(authority, (it) => authorityFacts(it, names)),
  };
  const { found: callers, egressPolicies } = await lookAround(asker, { ...about, ...seen, replicas });
  const accounts = await lookAtPermissions(
    client,
    {
      namespace,
      name,
      callers,
      replicas: (replicas === "unknown" ? [] : replicas).map(({ facts }) => facts),
    },
    asker.note,
  );
  return {
    ...about,
    ...seen,
    election,
    callers,
    replicas: replicas === "unknown" ? replicas : replicas.map(({ facts }) => facts),
    accounts,
    egressPolicies,
    unasked: asker.unasked,
  };
}

const nothingKnown = {
  election: "unknown",
  lease: "unknown",
  secret: "unknown",
  authority: "unknown",
  callers: [],
  replicas: "unknown",
  accounts: [],
  egressPolicies: [],
  unasked: [],
} as const;

function read<T extends object, F extends object>(seen: Seen<T>, facts: (object: T) => F): Seen<F> {
  return typeof seen === "string" ? seen : facts(seen);
}

/** Whether there is an API server that answers us at all. */
async function unreachable(
  { client, request }: KubeAsker,
  namespace: string,
  name: string,
): Promise<string | undefined> {
  try {
    const answer = await client.resource(resources.leases, { namespace }).get(name, request);
    return !answer.ok && answer.status.code === 401 ? answer.status.message : undefined;
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return error.message;
  }
}

/** A Lease that looks as if it were over is watched for a moment: the time in it is of another clock. */
async function lookAtElection(
  asker: KubeAsker,
  of: {
    readonly namespace: string;
    readonly name: string;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<Seen<ElectionFacts>> {
  const lease = await asker.one(resources.leases, of.name, of.namespace);
  if (typeof lease === "string") return lease;
  const facts = electionFacts(lease, false);
  const overMs = Date.now() - (facts.renewedAt?.getTime() ?? 0) - facts.durationMs;
  if (facts.holder === "" || overMs <= 0) return facts;
  return electionFacts(lease, await isRenewed(asker, lease, of));
}

async function isRenewed(
  { client }: KubeAsker,
  lease: Lease,
  of: {
    readonly namespace: string;
    readonly name: string;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  const signal = AbortSignal.any([of.signal, AbortSignal.timeout(of.timeoutMs)]);
  try {
    const { resourceVersion } = lease.metadata ?? {};
    const fieldSelector = `metadata.name=${of.name}`;
    const answer = await client
      .resource(resources.leases, { namespace: of.namespace })
      .watch({ fieldSelector, resourceVersion, signal });
    if (!answer.ok) return false;
    for await (const event of answer.value) {
      if (event.type === "MODIFIED") return event.object.spec?.holderIdentity !== "";
    }
    return false;
  } catch {
    of.signal.throwIfAborted();
    return false;
  }
}

interface SeenReplica {
  readonly facts: ReplicaFacts;
  readonly labels: Readonly<Record<string, string>>;
}

async function lookAtReplicas(
  asker: KubeAsker,
  of: Pick<WebhookFacts, "name" | "namespace" | "selector" | "names">,
): Promise<readonly SeenReplica[] | "unknown"> {
  const { name, namespace, selector, names } = of;
  const [pods, leases] = await Promise.all([
    asker.all(resources.pods, { namespace, labelSelector: selector }),
    asker.quietly(resources.leases, { namespace, labelSelector: `${names.replicaOf}=${name}` }),
  ]);
  if (pods === "unknown") return pods;
  const nodeReady = await lookAtNodes(asker, pods);
  return pods.map((pod) => ({
    facts: replicaFacts(pod, { name, names, leases, nodeReady }),
    labels: pod.metadata?.labels ?? {},
  }));
}

interface Node extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type?: string; readonly status?: string }[];
  };
}

/** What the kubelets say of themselves, for who may read it. */
async function lookAtNodes(asker: KubeAsker, pods: readonly Pod[]): Promise<ReadonlyMap<string, boolean>> {
  const nodes: ResourceType<Node> = defineResource("v1", "nodes", "Node", { namespaced: false });
  const names = [...new Set(pods.flatMap(({ spec }) => spec?.nodeName ?? []))];
  const found = await Promise.all(names.map((name) => asker.quietlyOne(nodes, name)));
  return new Map(
    found.flatMap((node) => {
      const ready = node?.status?.conditions?.find(({ type }) => type === "Ready");
      return node?.metadata?.name && ready ? [[node.metadata.name, ready.status === "True"] as const] : [];
    }),
  );
}

type Surroundings = Pick<WebhookFacts, "name" | "namespace" | "service" | "secret" | "authority"> & {
  readonly replicas: readonly SeenReplica[] | "unknown";
};

async function lookAround(
  asker: KubeAsker,
  of: Surroundings,
): Promise<{ readonly found: readonly CallerFacts[]; readonly egressPolicies: readonly string[] }> {
  const { secret, authority } = of;
  const own = new Set([
    ...(typeof secret === "string" ? [] : secret.trust.map(({ sha256 }) => sha256)),
    ...(typeof authority === "string"
      ? []
      : [authority.signer, authority.next].flatMap((one) => one?.sha256 ?? [])),
  ]);
  const callersOf: CallersOf = { ...of, isOwn: (fingerprint) => own.has(fingerprint) };
  const [callers, egressPolicies] = await Promise.all([
    Promise.all(callerTypes.map((type) => lookAtCallers(asker, type, of.name, callersOf))),
    lookAtPolicies(asker, of),
  ]);
  return { found: callers.flat(), egressPolicies };
}

const callerTypes: readonly ResourceType<KubeObject>[] = [
  resources.validatingWebhookConfigurations,
  resources.mutatingWebhookConfigurations,
  resources.customResourceDefinitions,
  resources.apiServices,
];

/** All of a kind, or, for who may not list them, the one of the webhook's own name. */
async function lookAtCallers(
  asker: KubeAsker,
  type: ResourceType<KubeObject>,
  name: string,
  of: CallersOf,
): Promise<readonly CallerFacts[]> {
  const found: CallerFacts[] = [];
  const kind = type.kind as BundleTarget["kind"];
  const take = (object: KubeObject): void => void found.push(...callersIn(kind, object, of));
  const objects = await asker.each(type, take);
  if (objects === "unknown" && type.group === "admissionregistration.k8s.io") {
    const one = await asker.quietlyOne(type, name);
    if (one) take(one);
  }
  return found;
}

interface NetworkPolicy extends KubeObject {
  readonly spec?: {
    readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly policyTypes?: readonly string[];
    readonly egress?: readonly object[];
  };
}

/** Only the labels of selectors are compared: this is a hint. */
async function lookAtPolicies(asker: KubeAsker, of: Surroundings): Promise<readonly string[]> {
  const type: ResourceType<NetworkPolicy> = defineResource(
    "networking.k8s.io/v1",
    "networkpolicies",
    "NetworkPolicy",
  );
  const pods = of.replicas === "unknown" ? [] : of.replicas;
  const policies = await asker.quietly(type, { namespace: of.namespace });
  return policies.flatMap(({ metadata, spec }) => {
    const limits = spec?.policyTypes?.includes("Egress") ?? spec?.egress !== undefined;
    const wanted = Object.entries(spec?.podSelector?.matchLabels ?? {});
    const selects = pods.some(({ labels }) => wanted.every(([key, value]) => labels[key] === value));
    return limits && selects && metadata?.name ? [metadata.name] : [];
  });
}
