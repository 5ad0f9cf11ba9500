import { Buffer } from "node:buffer";
import type { Answer, KubeObject, Lease, ResourceClient, Secret, WriteOptions } from "@newleaf/kube";
import {
  type AuthorityState,
  authorityData,
  createAuthority,
  type ParsedAuthorityState,
  type RolloverNote,
} from "./authority-state.ts";
import { type BundleTarget, bundlePatch } from "./ca-bundle.ts";
import { type Findings, type LeaderPolicy, leaseAnnotations } from "./leader-observation.ts";
import type { AuthorityChange, LeaderWrite } from "./leader-step.ts";
import { issueServing } from "./serving-certificate.ts";

/** What leaders write to. */
export interface LeaderResources {
  readonly secrets: ResourceClient<Secret>;
  readonly leases: ResourceClient<Lease>;
  targets(target: BundleTarget): ResourceClient<KubeObject>;
}

/** Everything made, keys included; what is left is the request. */
export type PreparedWrite = (options: WriteOptions) => Promise<Answer<KubeObject>>;

/**
 * Prepares one write: a create where there was nothing, else a patch that holds only for the version that was read.
 * Whoever wrote in between makes it fail, and the plan is made anew.
 */
export function prepareWrite(write: LeaderWrite, found: Findings, resources: LeaderResources): PreparedWrite {
  const { observed, policy } = found;
  const { secrets, leases } = resources;
  switch (write.write) {
    case "fence": {
      const annotations = { [policy.names.leader]: policy.token };
      const spec = { holderIdentity: policy.identity };
      if (write.object === "lease") {
        return put(leases, leaseName(policy), observed.lease, { metadata: { annotations }, spec });
      }
      const name = write.object === "authority" ? authorityName(policy) : policy.name;
      return put(secrets, name, observed[write.object], { metadata: { annotations } });
    }
    case "authority": {
      const change = { type: "Opaque", ...authorityChange(write.change, found) };
      return put(secrets, authorityName(policy), observed.authority, change);
    }
    case "serving": {
      const change = { type: "kubernetes.io/tls", ...servingChange(write.issue, found) };
      return put(secrets, policy.name, observed.serving, change);
    }
    case "lease": {
      const { stored } = found;
      if (!stored?.leaf) throw new TypeError("a Lease announces a certificate");
      const annotations = leaseAnnotations(stored, stored.leaf, policy);
      const change = { metadata: { annotations }, spec: { holderIdentity: policy.identity } };
      return put(leases, leaseName(policy), observed.lease, change);
    }
    case "bundle": {
      const { target, object } = write.target;
      if (!object) throw new TypeError("a caBundle has an object");
      const body = bundlePatch(target, object, found.bundle);
      return (options) => resources.targets(target).patch(target.name, { type: "json", body }, options);
    }
  }
}

/** The CA Secret beside the serving Secret. */
export function authorityName({ name }: Pick<LeaderPolicy, "name">): string {
  return `${name}-ca`;
}

function leaseName({ name }: LeaderPolicy): string {
  return name;
}

interface Change {
  readonly type?: string;
  readonly metadata?: { readonly annotations: Readonly<Record<string, string | null>> };
  readonly data?: Readonly<Record<string, string | null>>;
  readonly spec?: object;
}

function put<T extends KubeObject>(
  resource: ResourceClient<T>,
  name: string,
  before: T | undefined,
  { type, ...change }: Change,
): PreparedWrite {
  if (before) {
    const { resourceVersion } = before.metadata ?? {};
    const body = { ...change, metadata: { ...change.metadata, resourceVersion } };
    return (options) => resource.patch(name, { type: "merge", body }, options);
  }
  const { group, version, kind } = resource.type;
  const object = {
    apiVersion: group === "" ? version : `${group}/${version}`,
    kind,
    metadata: {
      name,
      ...(resource.namespace !== undefined && { namespace: resource.namespace }),
      annotations: withoutNulls(change.metadata?.annotations),
    },
    ...(type !== undefined && { type }),
    ...(change.data && { data: withoutNulls(change.data) }),
    ...(change.spec && { spec: change.spec }),
  };
  return (options) => resource.create(object as unknown as T, options);
}

function authorityChange(change: AuthorityChange, found: Findings): Change {
  const { policy } = found;
  const { names, token } = policy;
  const state = changedState(change, found);
  const note = state.rollover === undefined ? null : JSON.stringify(state.rollover);
  return {
    metadata: {
      annotations: {
        [names.leader]: token,
        [names.rollover]: note,
        ...(change.to === "start" && { [names.rolloverRequested]: null }),
      },
    },
    data: authorityData(state),
  };
}

function changedState(change: AuthorityChange, { state, policy, now }: Findings): AuthorityState {
  const { name, authorityLifeMs: lifeMs, backdateMs } = policy;
  const authority = (): ReturnType<typeof createAuthority> =>
    createAuthority({ name, now, lifeMs, backdateMs });
  const at = new Date(now).toISOString();
  switch (change.to) {
    case "create":
      return { signer: authority(), next: undefined, previous: [], rollover: undefined };
    case "restore": {
      const rollover: RolloverNote = { reason: "lost", startedAt: at };
      return { signer: undefined, next: authority(), previous: change.previous, rollover };
    }
    case "repair":
      return { ...state, previous: change.previous };
    case "start":
      return { ...state, next: authority(), rollover: { reason: change.reason, startedAt: at } };
    case "switch": {
      const old = state.signer ? [state.signer.certificate] : [];
      const { oldLeafUntil } = change;
      return {
        signer: state.next,
        next: undefined,
        previous: [...old, ...state.previous],
        rollover: {
          ...noteOf(state, at),
          switchedAt: at,
          ...(oldLeafUntil !== undefined && { oldLeafUntil }),
        },
      };
    }
    case "drop":
      return { ...state, previous: [], rollover: { ...noteOf(state, at), droppedAt: at } };
    case "retire":
      return { ...state, rollover: undefined };
  }
}

function noteOf({ rollover }: ParsedAuthorityState, at: string): RolloverNote {
  return rollover ?? { reason: "lost", startedAt: at };
}

function servingChange(issue: boolean, found: Findings): Change {
  const { policy, now, caPem, state } = found;
  const ca = { "ca.crt": base64(caPem) };
  const metadata = { annotations: { [policy.names.leader]: policy.token } };
  if (!issue) return { metadata, data: ca };
  if (!state.signer) throw new TypeError("an authority that signs is needed");
  const { leafLifeMs: lifeMs, backdateMs, serving: names } = policy;
  const issued = issueServing(state.signer, { names, now, lifeMs, backdateMs });
  const leaf = { "tls.crt": base64(issued["tls.crt"]), "tls.key": base64(issued["tls.key"]) };
  return { metadata, data: { ...leaf, ...ca } };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function withoutNulls(record: Readonly<Record<string, string | null>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}
