import { createBackoff, type Logger } from "@newleaf/daemon";
import type { KubeClient } from "@newleaf/kube";
import type { Permission } from "@newleaf/webhook";

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
