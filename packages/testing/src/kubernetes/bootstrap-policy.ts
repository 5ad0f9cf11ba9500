import type { JsonObject } from "./json.ts";
import type { KubeStore } from "./kube-store.ts";

/** The roles and bindings that every cluster with RBAC begins with, as far as clients count on them. */
export function createBootstrapPolicy(store: KubeStore): void {
  for (const [name, rules, groups] of policy) {
    const metadata = { name, labels: { "kubernetes.io/bootstrapping": "rbac-defaults" } };
    store.create("clusterroles.rbac.authorization.k8s.io", { metadata, rules: [...rules] });
    if (groups.length === 0) continue;
    store.create("clusterrolebindings.rbac.authorization.k8s.io", {
      metadata,
      roleRef: { apiGroup: RBAC, kind: "ClusterRole", name },
      subjects: groups.map((group) => ({ apiGroup: RBAC, kind: "Group", name: group })),
    });
  }
}

const RBAC = "rbac.authorization.k8s.io";
const selfReviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"];

const policy: readonly (readonly [name: string, rules: readonly JsonObject[], groups: readonly string[]])[] =
  [
    [
      "cluster-admin",
      [
        { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
        { verbs: ["*"], nonResourceURLs: ["*"] },
      ],
      ["system:masters"],
    ],
    [
      "system:discovery",
      [
        {
          verbs: ["get"],
          nonResourceURLs: [
            "/api",
            "/api/*",
            "/apis",
            "/apis/*",
            "/healthz",
            "/livez",
            "/openapi",
            "/openapi/*",
            "/readyz",
            "/version",
            "/version/",
          ],
        },
      ],
      ["system:authenticated"],
    ],
    [
      "system:basic-user",
      [
        { verbs: ["create"], apiGroups: ["authorization.k8s.io"], resources: selfReviews },
        { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"] },
      ],
      ["system:authenticated"],
    ],
    [
      "system:public-info-viewer",
      [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/livez", "/readyz", "/version", "/version/"] }],
      ["system:authenticated", "system:unauthenticated"],
    ],
    [
      "system:auth-delegator",
      [
        { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"] },
        { verbs: ["create"], apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"] },
      ],
      [],
    ],
    [
      "view",
      [{ verbs: ["get", "list", "watch"], apiGroups: ["", "apps", "autoscaling"], resources: viewed() }],
      [],
    ],
    [
      "edit",
      [{ verbs: ["*"], apiGroups: ["", "apps", "autoscaling"], resources: [...viewed(), "secrets"] }],
      [],
    ],
  ];

function viewed(): string[] {
  return [
    "configmaps",
    "events",
    "namespaces",
    "pods",
    "services",
    "serviceaccounts",
    "endpoints",
    "deployments",
    "deployments/scale",
    "replicasets",
    "horizontalpodautoscalers",
  ];
}
