import { fieldsOf, isJsonObject, itemsOf, type JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import type { KubeStore } from "./kube-store.ts";
import type { UserInfo } from "./user-info.ts";

/** What somebody wants to do: to a resource, or to a path that is none. */
export interface AccessAttributes {
  readonly verb: string;
  readonly group?: string | undefined;
  readonly resource?: string | undefined;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  /** Where there is no resource. */
  readonly path?: string | undefined;
}

export interface Authorizer {
  allows(user: UserInfo, attributes: AccessAttributes): boolean;
  /** The rules that a user has in a namespace, those of the whole cluster included. */
  rulesFor(user: UserInfo, namespace: string | undefined): readonly JsonObject[];
}

/** Everybody may do everything. */
export const allowAll: Authorizer = {
  allows: () => true,
  rulesFor: () => [
    { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
    { verbs: ["*"], nonResourceURLs: ["*"] },
  ],
};

/**
 * RBAC by the stored Roles and bindings, read afresh each time. `system:masters` may do everything. Aggregated
 * ClusterRoles are not put together, and who writes a Role may grant more than they have.
 */
export function createRbacAuthorizer(store: KubeStore): Authorizer {
  const rulesOf = (binding: KubeObject): readonly JsonObject[] => {
    const { kind, name } = fieldsOf(binding.roleRef);
    const role =
      kind === "ClusterRole"
        ? store.get(CLUSTER_ROLES, undefined, String(name))
        : store.get(ROLES, binding.metadata.namespace, String(name));
    return itemsOf(role?.rules).filter(isJsonObject);
  };
  const bound = (resource: string, user: UserInfo, namespace?: string): readonly JsonObject[] =>
    store
      .list(resource, { namespace })
      .items.filter((binding) =>
        itemsOf(binding.subjects).some((subject) => isSubject(fieldsOf(subject), user, binding)),
      )
      .flatMap(rulesOf);

  const self: Authorizer = {
    allows(user, attributes) {
      if (user.groups.includes("system:masters")) return true;
      const rules = attributes.resource
        ? self.rulesFor(user, attributes.namespace)
        : bound(CLUSTER_BINDINGS, user);
      return rules.some((rule) => ruleAllows(rule, attributes));
    },
    rulesFor(user, namespace) {
      if (user.groups.includes("system:masters")) return allowAll.rulesFor(user, namespace);
      const local = namespace === undefined ? [] : bound(BINDINGS, user, namespace);
      return [...bound(CLUSTER_BINDINGS, user), ...local];
    },
  };
  return self;
}

const ROLES = "roles.rbac.authorization.k8s.io";
const CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io";
const BINDINGS = "rolebindings.rbac.authorization.k8s.io";
const CLUSTER_BINDINGS = "clusterrolebindings.rbac.authorization.k8s.io";

function isSubject(subject: JsonObject, user: UserInfo, binding: KubeObject): boolean {
  const name = String(subject.name ?? "");
  switch (subject.kind) {
    case "User":
      return name === user.name;
    case "Group":
      return user.groups.includes(name);
    case "ServiceAccount": {
      const namespace = String(subject.namespace ?? binding.metadata.namespace ?? "");
      return user.name === `system:serviceaccount:${namespace}:${name}`;
    }
    default:
      return false;
  }
}

/** Whether one PolicyRule grants this. */
function ruleAllows(rule: JsonObject, attributes: AccessAttributes): boolean {
  const has = (list: "verbs" | "apiGroups" | "resources", ...values: string[]): boolean =>
    itemsOf(rule[list]).some((item) => item === "*" || values.includes(String(item)));
  if (!has("verbs", attributes.verb)) return false;
  const { resource, subresource, name, path = "" } = attributes;
  if (!resource) return itemsOf(rule.nonResourceURLs).some((pattern) => pathMatches(String(pattern), path));
  const names = itemsOf(rule.resourceNames);
  const wanted = subresource ? [`${resource}/${subresource}`, `*/${subresource}`] : [resource];
  return (
    has("apiGroups", attributes.group ?? "") &&
    has("resources", ...wanted) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === path || (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1)));
}

/** Why not, in the words of Kubernetes. */
export function denial(user: UserInfo, attributes: AccessAttributes): string {
  const { verb, group = "", resource, subresource, namespace, path } = attributes;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  if (!resource) return `${who} path ${JSON.stringify(path)}`;
  const what = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : "at the cluster scope";
  return `${who} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}`;
}
