import type { PolicyRule, ServiceAccountOptions } from "../kubernetes.ts";
import type { Administrator } from "./administrator.ts";

const rbac = "/apis/rbac.authorization.k8s.io/v1";

/** Makes the account, its namespace and its rights, and resolves with a token of it. */
export async function createServiceAccount(
  administrator: Administrator,
  { name, namespace = "default", rules, clusterRules, expirationSeconds = 3600 }: ServiceAccountOptions,
): Promise<string> {
  if ((await administrator.status(`/api/v1/namespaces/${namespace}`)) === 404) {
    await administrator.request("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  }
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await administrator.request("POST", accounts, { metadata: { name } });
  const grant = async (folder: string, kind: "Role" | "ClusterRole", granted: readonly PolicyRule[]) => {
    const metadata = { name: folder === rbac ? `${namespace}-${name}` : name };
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind, name: metadata.name };
    const subjects = [{ kind: "ServiceAccount", name, namespace }];
    await administrator.request("POST", `${folder}/${kind.toLowerCase()}s`, { metadata, rules: granted });
    await administrator.request("POST", `${folder}/${kind.toLowerCase()}bindings`, {
      metadata,
      roleRef,
      subjects,
    });
  };
  if (rules) await grant(`${rbac}/namespaces/${namespace}`, "Role", rules);
  if (clusterRules) await grant(rbac, "ClusterRole", clusterRules);
  const { status } = await administrator.request<{ status: { token: string } }>(
    "POST",
    `${accounts}/${name}/token`,
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds } },
  );
  return status.token;
}
