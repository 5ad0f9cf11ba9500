import { type ResourceType, resources } from "@newleaf/kube";
import { type BundleTarget, targetType } from "./ca-bundle.ts";

/** A rule of a Role: what is done to one object by name, or to all of a kind. */
export interface Permission {
  readonly verbs: readonly string[];
  readonly group: string;
  readonly resource: string;
  /** Undefined for objects of the cluster. */
  readonly namespace: string | undefined;
  /** Undefined where the name is not known, and for `create`, which RBAC cannot restrict by name. */
  readonly name: string | undefined;
}

interface In {
  readonly namespace: string;
  readonly name: string;
  /** Where replicas say what they have loaded. */
  readonly acknowledge: "pod" | "lease" | "none";
}

/** What a candidate needs, its election by the Lease `<name>-leader` included. */
export function candidatePermissions(of: In, targets: readonly BundleTarget[]): readonly Permission[] {
  const { namespace, name, acknowledge } = of;
  const keep = ["get", "list", "watch", "patch"];
  const replicas =
    acknowledge === "none" ? [] : [permission(["list", "watch"], resources.pods, namespace, undefined)];
  return [
    permission(["get", "update"], resources.leases, namespace, `${name}-leader`),
    permission(["create"], resources.leases, namespace, undefined),
    permission(keep, resources.leases, namespace, name),
    permission(["create"], resources.secrets, namespace, undefined),
    permission(keep, resources.secrets, namespace, name),
    permission(keep, resources.secrets, namespace, `${name}-ca`),
    ...replicas,
    ...(acknowledge === "lease"
      ? [permission(["list", "watch"], resources.leases, namespace, undefined)]
      : []),
    ...targets.map((target) => permission(keep, targetType(target), undefined, target.name)),
  ];
}

/** What a follower needs. */
export function followerPermissions(
  of: In & {
    readonly pod: string;
    /** Whether it reads the Secret from the API server. */
    readonly fromSecret: boolean;
  },
): readonly Permission[] {
  const { namespace, name, acknowledge, pod, fromSecret } = of;
  return [
    permission(["list", "watch"], resources.leases, namespace, name),
    ...(fromSecret ? [permission(["get", "list", "watch"], resources.secrets, namespace, name)] : []),
    ...(acknowledge === "pod" ? [permission(["patch"], resources.pods, namespace, pod)] : []),
    ...(acknowledge === "lease"
      ? [
          permission(["create"], resources.leases, namespace, undefined),
          permission(["patch"], resources.leases, namespace, `${name}-${pod}`),
        ]
      : []),
  ];
}

/** Names a rule as people look for it: `patch,watch leases.coordination.k8s.io/web in shop`. */
export function describePermission({ verbs, group, resource, namespace, name }: Permission): string {
  const kind = group === "" ? resource : `${resource}.${group}`;
  const what = name === undefined ? kind : `${kind}/${name}`;
  return `${verbs.join(",")} ${what}${namespace === undefined ? "" : ` in ${namespace}`}`;
}

function permission(
  verbs: readonly string[],
  { group, resource }: Pick<ResourceType<never>, "group" | "resource">,
  namespace: string | undefined,
  name: string | undefined,
): Permission {
  return { verbs, group, resource, namespace, name };
}
