import type { Answer, KubeClient } from "@newleaf/kube";
import {
  type BundleTarget,
  candidatePermissions,
  followerPermissions,
  type Permission,
} from "@newleaf/webhook";
import type { AccountFacts, CallerFacts, ReplicaFacts } from "../webhook-facts.ts";

export interface PermissionsOf {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: readonly ReplicaFacts[];
  readonly callers: readonly CallerFacts[];
}

/**
 * Asks what the replicas' service accounts may not do: by SubjectAccessReview, or, where that is not allowed and this
 * is one of them, for itself. `unasked` is told of accounts that could not be asked for.
 */
export async function lookAtPermissions(
  client: KubeClient,
  of: PermissionsOf,
  unasked: (what: string, why: string) => void,
): Promise<readonly AccountFacts[]> {
  const accounts = new Map(of.replicas.map((replica) => [replica.account, replica]));
  const found = await Promise.all(
    [...accounts].map(async ([account, replica]): Promise<AccountFacts | undefined> => {
      const user = `system:serviceaccount:${of.namespace}:${account}`;
      try {
        const ask = await reviewerFor(client, user, of.namespace);
        if (typeof ask !== "string") return { user, missing: await missingOf(neededBy(replica, of), ask) };
        unasked(`what ${user} may do`, ask);
      } catch (error) {
        unasked(`what ${user} may do`, error instanceof Error ? error.message : String(error));
      }
      return undefined;
    }),
  );
  return found.flatMap((account) => account ?? []);
}

function neededBy(replica: ReplicaFacts, of: PermissionsOf): readonly Permission[] {
  const { namespace, name } = of;
  const { acknowledge, fromSecret } = replica;
  const targets = new Map<string, BundleTarget>(
    of.callers.map(({ kind, object }) => [`${kind}/${object}`, { kind, name: object }]),
  );
  return [
    ...(replica.follows
      ? followerPermissions({ namespace, name, acknowledge, fromSecret, pod: replica.name })
      : []),
    ...(replica.leads ? candidatePermissions({ namespace, name, acknowledge }, [...targets.values()]) : []),
  ];
}

type Attributes = Omit<Permission, "verbs"> & { readonly verb: string };
type Review = (attributes: Attributes) => Promise<boolean>;

async function missingOf(needed: readonly Permission[], allowed: Review): Promise<readonly Permission[]> {
  const answers = await Promise.all(
    needed.map(async ({ verbs, ...of }) => {
      const verdicts = await Promise.all(verbs.map((verb) => allowed({ verb, ...of })));
      return { ...of, verbs: verbs.filter((_verb, index) => verdicts[index] === false) };
    }),
  );
  return merged(answers.filter(({ verbs }) => verbs.length > 0));
}

/** One rule an object, though a leader and a follower need it. */
function merged(permissions: readonly Permission[]): readonly Permission[] {
  const byObject = new Map<string, Permission>();
  for (const permission of permissions) {
    const { group, resource, namespace, name } = permission;
    const key = [group, resource, namespace, name].join("/");
    const verbs = new Set([...(byObject.get(key)?.verbs ?? []), ...permission.verbs]);
    byObject.set(key, { ...permission, verbs: [...verbs] });
  }
  return [...byObject.values()];
}

/** How to ask for a user, or why that is not possible. */
async function reviewerFor(client: KubeClient, user: string, namespace: string): Promise<Review | string> {
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  const others = reviewBy(client, "SubjectAccessReview", { user, groups });
  const refusal = await others.probe({
    verb: "get",
    group: "",
    resource: "pods",
    namespace,
    name: undefined,
  });
  if (refusal === undefined) return others.review;
  const self = await client.request<{ status?: { userInfo?: { username?: string } } }>({
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
  });
  if (!self.ok || self.value.status?.userInfo?.username !== user) return refusal;
  return reviewBy(client, "SelfSubjectAccessReview", {}).review;
}

function reviewBy(
  client: KubeClient,
  kind: "SubjectAccessReview" | "SelfSubjectAccessReview",
  subject: object,
): { readonly review: Review; probe(attributes: Attributes): Promise<string | undefined> } {
  const send = (attributes: Attributes): Promise<Answer<{ status?: { allowed?: boolean } }>> =>
    client.request({
      method: "POST",
      path: `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`,
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind,
        spec: { ...subject, resourceAttributes: attributes },
      },
    });
  return {
    async review(attributes) {
      const answer = await send(attributes);
      if (!answer.ok) throw new Error(answer.status.message);
      return answer.value.status?.allowed !== false;
    },
    async probe(attributes) {
      const answer = await send(attributes);
      return answer.ok ? undefined : answer.status.message;
    },
  };
}
