import type { KubeStore } from "@newleaf/testing";

/** Of the webhook: its Service, its Lease, its Secret, its account and its configuration. */
export const NAME = "newleaf-webhook";
/** Where it runs. */
export const NAMESPACE = "newleaf";
/** Where the API user works; only this is asked about. */
export const SHOP = "shop";
export const API_USER = "developer";
export const NODE = "node";
/** Of the Pods' volume. */
export const VOLUME = "certs";
/** Finds its Pods. */
export const SELECTOR: string = `app.kubernetes.io/name=${NAME}`;

type ClusterObject = Parameters<KubeStore["create"]>[1];

const RBAC = "rbac.authorization.k8s.io";

type Rule = Record<"apiGroups" | "resources" | "verbs", string[]> & { resourceNames?: string[] };

/** What the chart of the webhook installs, for `acknowledge: pod`; a test keeps the rules equal to it. */
export const webhookRules: { readonly role: Rule[]; readonly clusterRole: Rule[] } = {
  role: [
    {
      apiGroups: [""],
      resources: ["secrets"],
      resourceNames: [NAME, `${NAME}-ca`],
      verbs: ["get", "list", "watch", "patch"],
    },
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      resourceNames: [NAME],
      verbs: ["get", "list", "watch", "patch"],
    },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      resourceNames: [`${NAME}-leader`],
      verbs: ["get", "update"],
    },
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
    { apiGroups: [""], resources: ["pods"], verbs: ["list", "watch", "patch"] },
  ],
  clusterRole: [
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: ["validatingwebhookconfigurations"],
      resourceNames: [NAME],
      verbs: ["get", "list", "watch", "patch"],
    },
  ],
};

/** Everything that is there before the first replica: rights, the configuration without a caBundle, and no certificate. */
export function clusterObjects(): readonly (readonly [resource: string, object: ClusterObject])[] {
  const account = { kind: "ServiceAccount", name: NAME, namespace: NAMESPACE };
  const own = { name: NAME, namespace: NAMESPACE };
  const user = { apiGroup: RBAC, kind: "User", name: API_USER };
  return [
    ["namespaces", { metadata: { name: NAMESPACE } }],
    ["namespaces", { metadata: { name: SHOP, labels: { "kubernetes.io/metadata.name": SHOP } } }],
    ["serviceaccounts", { metadata: own }],
    [`roles.${RBAC}`, { metadata: own, rules: webhookRules.role }],
    [
      `rolebindings.${RBAC}`,
      { metadata: own, roleRef: { apiGroup: RBAC, kind: "Role", name: NAME }, subjects: [account] },
    ],
    [`clusterroles.${RBAC}`, { metadata: { name: NAME }, rules: webhookRules.clusterRole }],
    [
      `clusterrolebindings.${RBAC}`,
      {
        metadata: { name: NAME },
        roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: NAME },
        subjects: [account],
      },
    ],
    [
      `rolebindings.${RBAC}`,
      {
        metadata: { name: API_USER, namespace: SHOP },
        roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: "edit" },
        subjects: [user],
      },
    ],
    ["validatingwebhookconfigurations.admissionregistration.k8s.io", configuration()],
  ];
}

/** `failurePolicy: Fail`: what cannot be asked about is refused. */
function configuration(): ClusterObject {
  return {
    metadata: { name: NAME },
    webhooks: [
      {
        name: "rotation.newleaf.dev",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        timeoutSeconds: 5,
        clientConfig: { service: { namespace: NAMESPACE, name: NAME, path: "/validate", port: 443 } },
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": SHOP } },
        rules: [
          {
            apiGroups: ["apps"],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["deployments"],
            scope: "Namespaced",
          },
        ],
      },
    ],
  };
}

/** A Pod as the chart's Deployment makes it, as far as anybody looks at it. */
export function replicaPod(name: string): ClusterObject {
  return {
    metadata: { name, namespace: NAMESPACE, labels: { "app.kubernetes.io/name": NAME } },
    spec: {
      nodeName: NODE,
      serviceAccountName: NAME,
      containers: [{ name: "webhook", image: "newleaf" }],
      volumes: [{ name: VOLUME, secret: { secretName: NAME, optional: true } }],
    },
  };
}
