import {
  type Answer,
  type Clock,
  type Informer,
  type KubeClient,
  type KubeObject,
  type Lease,
  type Logger,
  type Pod,
  type RequestOptions,
  type ResourceClient,
  resources,
  startInformer,
  valueOrThrow,
} from "@newleaf/kube";
import type { AnnotationNames } from "./annotations.ts";
import { type BundleTarget, targetType } from "./ca-bundle.ts";
import type { Observation } from "./leader-observation.ts";
import type { LeaderResources } from "./leader-writes.ts";
import { replicasOf } from "./replica.ts";

/** The objects of a webhook's certificate, each followed by name. */
export interface LeaderWatch extends AsyncDisposable {
  readonly resources: LeaderResources;
  whenSynced(signal: AbortSignal): Promise<void>;
  /** From the informers: no requests. */
  observe(): Seen;
  /** Asks the API server for all of it. */
  fetch(options: RequestOptions): Promise<Seen>;
  /** Shows what was written or read until its informer has come as far. */
  remember(object: KubeObject): void;
}

export type Seen = Pick<Observation, "authority" | "serving" | "lease" | "targets" | "replicas">;

export interface LeaderWatchOptions {
  readonly client: Pick<KubeClient, "resource">;
  readonly namespace: string;
  readonly name: string;
  readonly authorityName: string;
  readonly names: AnnotationNames;
  readonly targets: readonly BundleTarget[];
  readonly replicas:
    | { readonly labelSelector: string; readonly acknowledgement?: "pod" | "lease" | undefined }
    | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  onChange(): void;
}

/** Starts the informers. */
export function startLeaderWatch(options: LeaderWatchOptions): LeaderWatch {
  const { client, namespace, name, authorityName, names } = options;
  const secrets = client.resource(resources.secrets, { namespace });
  const leases = client.resource(resources.leases, { namespace });
  const authority = followOne(secrets, authorityName, options);
  const serving = followOne(secrets, name, options);
  const lease = followOne(leases, name, options);
  const targets = options.targets.map((target) => ({
    target,
    one: followOne(client.resource(targetType(target)), target.name, options),
  }));
  const replicas = options.replicas && followReplicas(options.replicas.labelSelector, options);
  const all = [authority, serving, lease, ...targets.map(({ one }) => one), ...(replicas?.all ?? [])];
  const seenReplicas = (pods: readonly Pod[], own: readonly Lease[]): Seen["replicas"] =>
    replicas && replicasOf(pods, own, { name, names });

  return {
    resources: {
      secrets,
      leases,
      targets: ({ kind, name: called }) => client.resource(targetType({ kind, name: called })),
    },
    async whenSynced(signal) {
      await Promise.all(all.map(({ informer }) => informer.whenSynced(signal)));
    },
    observe: () => ({
      authority: authority.current(),
      serving: serving.current(),
      lease: lease.current(),
      targets: targets.map(({ target, one }) => ({ target, object: one.current() })),
      replicas: seenReplicas(replicas?.pods.informer.list() ?? [], replicas?.leases?.informer.list() ?? []),
    }),
    async fetch(request) {
      return {
        authority: await authority.fetch(request),
        serving: await serving.fetch(request),
        lease: await lease.fetch(request),
        targets: await Promise.all(
          targets.map(async ({ target, one }) => ({ target, object: await one.fetch(request) })),
        ),
        replicas: seenReplicas(
          (await replicas?.pods.fetch(request)) ?? [],
          (await replicas?.leases?.fetch(request)) ?? [],
        ),
      };
    },
    remember(object) {
      for (const { remember } of [authority, serving, lease, ...targets.map(({ one }) => one)])
        remember(object);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map(({ informer }) => informer[Symbol.asyncDispose]()));
    },
  };
}

interface FollowedOne<T extends KubeObject> {
  readonly informer: Informer<T>;
  current(): T | undefined;
  fetch(options: RequestOptions): Promise<T | undefined>;
  remember(object: KubeObject): void;
}

function followOne<T extends KubeObject>(
  resource: ResourceClient<T>,
  name: string,
  options: LeaderWatchOptions,
): FollowedOne<T> {
  const informer = follow(resource, { fieldSelector: `metadata.name=${name}` }, options);
  const key = resource.namespace === undefined ? name : `${resource.namespace}/${name}`;
  return {
    informer,
    current: () => informer.get(key),
    async fetch(request) {
      const answer: Answer<T> = await resource.get(name, request);
      if (!answer.ok && answer.status.code === 404) return undefined;
      const object = valueOrThrow(answer, `read ${resource.type.kind} ${name}`);
      informer.remember(object);
      return object;
    },
    remember(object) {
      if (object.kind === resource.type.kind && object.metadata?.name === name)
        informer.remember(object as T);
    },
  };
}

interface FollowedMany<T extends KubeObject> {
  readonly informer: Informer<T>;
  fetch(options: RequestOptions): Promise<readonly T[]>;
}

function followReplicas(
  labelSelector: string,
  options: LeaderWatchOptions,
): {
  readonly pods: FollowedMany<Pod>;
  readonly leases: FollowedMany<Lease> | undefined;
  readonly all: readonly { readonly informer: AsyncDisposable & Pick<Informer<KubeObject>, "whenSynced"> }[];
} {
  const { client, namespace, names, name } = options;
  const pods = followMany(client.resource(resources.pods, { namespace }), labelSelector, options);
  if (options.replicas?.acknowledgement !== "lease") return { pods, leases: undefined, all: [pods] };
  const own = client.resource(resources.leases, { namespace });
  const leases = followMany(own, `${names.replicaOf}=${name}`, options);
  return { pods, leases, all: [pods, leases] };
}

function followMany<T extends KubeObject>(
  resource: ResourceClient<T>,
  labelSelector: string,
  options: LeaderWatchOptions,
): FollowedMany<T> {
  return {
    informer: follow(resource, { labelSelector }, options),
    async fetch(request) {
      const answer = await resource.list({ ...request, labelSelector });
      return valueOrThrow(answer, `list ${resource.type.resource}`).items;
    },
  };
}

function follow<T extends KubeObject>(
  resource: ResourceClient<T>,
  selector: { readonly fieldSelector?: string; readonly labelSelector?: string },
  { clock, random, logger, onChange }: LeaderWatchOptions,
): Informer<T> {
  const informer = startInformer<T>({ resource, ...selector, clock, random, logger });
  informer.addHandler({ add: onChange, update: onChange, delete: onChange });
  return informer;
}
