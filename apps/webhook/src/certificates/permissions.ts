import { createBackoff, type Logger } from "@newleaf/daemon";
import { type KubeClient, type ResourceType, resources } from "@newleaf/kube";
import type { BundleTarget } from "@newleaf/webhook";
import type { Acknowledgement } from "./follower-options.ts";

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

type In = { readonly namespace: string; readonly name: string; readonly acknowledge: Acknowledgement };

/** What a candidate needs, its election included. */
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
    ...targets.map((target) => permission(keep, targetTypes[target.kind], undefined, target.name)),
  ];
}

/** What a follower needs. */
export function followerPermissions(
  of: In & { readonly pod: string; readonly fromSecret: boolean },
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

/** Names a rule as people look for it. */
export function describePermission({ verbs, group, resource, namespace, name }: Permission): string {
  const kind = group === "" ? resource : `${resource}.${group}`;
  const what = name === undefined ? kind : `${kind}/${name}`;
  return `${verbs.join(",")} ${what}${namespace === undefined ? "" : ` in ${namespace}`}`;
}

export interface PermissionCheck {
  /** Asks the API server once, until it has answered, and logs each rule that is missing. */
  run(signal: AbortSignal): Promise<void>;
  /** What was missing when it was asked. */
  missing(): readonly Permission[];
}

/**
 * Asks for all of it by SelfSubjectAccessReview, which everybody may: what RBAC forbids shows otherwise only when it is
 * needed, which for a caBundle may be months later.
 */
export function createPermissionCheck(
  client: KubeClient,
  permissions: readonly Permission[],
  logger: Logger,
): PermissionCheck {
  let missing: readonly Permission[] = [];
  const ask = async (signal: AbortSignal): Promise<readonly Permission[]> => {
    const denied: Permission[] = [];
    // One after the other: nobody waits for it, and the rest of the start does not wait for its turn.
    for (const { verbs, ...of } of permissions) {
      const missing: string[] = [];
      for (const verb of verbs) if (await isDenied(client, { verb, ...of }, signal)) missing.push(verb);
      if (missing.length > 0) denied.push({ ...of, verbs: missing });
    }
    return denied;
  };
  return {
    missing: () => missing,
    async run(signal) {
      const backoff = createBackoff({ baseMs: 2_000, maxMs: 60_000 });
      while (!signal.aborted) {
        try {
          missing = await ask(signal);
          for (const { verbs, group, resource, namespace, name } of missing) {
            const rule = {
              apiGroups: [group],
              resources: [resource],
              ...(name && { resourceNames: [name] }),
              verbs,
            };
            logger.warn({ rule, namespace }, "RBAC rule is missing");
          }
          return;
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          logger.debug({ reason }, "permissions are not known yet");
          await backoff.wait(signal).catch(() => {});
        }
      }
    },
  };
}

async function isDenied(
  client: KubeClient,
  attributes: Omit<Permission, "verbs"> & { readonly verb: string },
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await client.request<{ readonly status?: { readonly allowed?: boolean } }>({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: attributes },
    },
    signal,
    timeoutMs: 5_000,
  });
  // Who may not even ask has no rule missing that could be named.
  if (!answer.ok && answer.status.code === 403) return false;
  if (!answer.ok) throw new Error(answer.status.message);
  return answer.value.status?.allowed === false;
}

function permission(
  verbs: readonly string[],
  { group, resource }: Pick<ResourceType<never>, "group" | "resource">,
  namespace: string | undefined,
  name: string | undefined,
): Permission {
  return { verbs, group, resource, namespace, name };
}

const targetTypes: Readonly<
  Record<BundleTarget["kind"], { readonly group: string; readonly resource: string }>
> = {
  ValidatingWebhookConfiguration: resources.validatingWebhookConfigurations,
  MutatingWebhookConfiguration: resources.mutatingWebhookConfigurations,
  CustomResourceDefinition: resources.customResourceDefinitions,
  APIService: resources.apiServices,
};
