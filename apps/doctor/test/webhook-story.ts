import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKubeClient, electLeader, resources } from "@newleaf/kube";
import { type KubernetesApi, startKubernetesApi } from "@newleaf/testing";
import { annotationNames, type LeaderStatus, leadCertificate, serviceDnsNames } from "@newleaf/webhook";
import { type Answered, type ReportJson, runDoctor } from "./run-doctor.ts";

export const NAMESPACE = "shop";
export const NAME = "shop-webhook";
export const NAMES = annotationNames();
export const CONFIGURATIONS = "validatingwebhookconfigurations.admissionregistration.k8s.io";
export const LEASES = "leases.coordination.k8s.io";
const ACCOUNT = `system:serviceaccount:${NAMESPACE}:${NAME}`;

type Fields = Record<string, unknown>;

/** A webhook whose objects are made by a real leader, and then brought into disorder by hand. */
export interface WebhookStory extends AsyncDisposable {
  readonly api: KubernetesApi;
  /** Stands for election; resolves once it leads and, unless told otherwise, has nothing left to do. */
  lead(until?: (status: LeaderStatus) => boolean, options?: { readonly identity?: string }): Promise<void>;
  /** The leader is gone; what it has released it leaves behind. */
  stopLeading(): Promise<void>;
  pod(name: string, of?: { readonly spec?: Fields; readonly status?: Fields }): void;
  /** Says on the Pod what a follower would that has loaded what the Lease announces. */
  acknowledge(name: string, instead?: Readonly<Record<string, string>>): void;
  change(resource: string, namespace: string | undefined, name: string, change: (it: never) => object): void;
  doctor(argv?: readonly string[], user?: string): Promise<Answered & { readonly report: ReportJson }>;
  /** Rules of the replicas' account, as the chart has them but for those that are named. */
  allow(without?: { readonly resource?: string; readonly verb?: string; readonly name?: string }): void;
}

export async function createWebhookStory(): Promise<WebhookStory> {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-doctor-"));
  const api = await startKubernetesApi({ authorization: "rbac" });
  api.store.create("namespaces", { metadata: { name: NAMESPACE } });
  api.store.create("serviceaccounts", { metadata: { name: NAME, namespace: NAMESPACE } });
  api.store.create(CONFIGURATIONS, {
    metadata: { name: NAME },
    webhooks: [
      {
        name: "shop.example.com",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        clientConfig: { service: { namespace: NAMESPACE, name: NAME } },
        rules: [
          { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
        ],
      },
    ],
  });
  let leading: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  const story: Omit<WebhookStory, typeof Symbol.asyncDispose> = {
    api,
    lead: (until = ({ doing }) => doing === "renewal", { identity = "shop-0" } = {}) =>
      new Promise((resolve, reject) => {
        const client = createKubeClient({ transport: api.transport({ user: "admin" }), rateLimit: false });
        const stop = new AbortController();
        const of = { client, namespace: NAMESPACE, name: NAME, identity, settleMs: 50 };
        const ended = electLeader({
          leases: client.resource(resources.leases, { namespace: NAMESPACE }),
          ...{ name: `${NAME}-leader`, identity, signal: stop.signal },
          ...{ leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryPeriodMs: 200 },
          lead: (leadership) =>
            leadCertificate({
              ...{ ...of, leadership },
              serving: { dnsNames: serviceDnsNames(NAME, NAMESPACE) },
              targets: [{ kind: "ValidatingWebhookConfiguration", name: NAME }],
              replicas: { labelSelector: `app.kubernetes.io/name=${NAME}` },
              onStatus: (status) => void (until(status) && resolve()),
            }),
        }).finally(() => client[Symbol.asyncDispose]());
        ended.catch(reject);
        leading = { stop, ended };
      }),
    async stopLeading() {
      leading?.stop.abort();
      await leading?.ended;
      leading = undefined;
    },
    pod(name, { spec, status } = {}) {
      const pod = api.store.create("pods", {
        metadata: { name, namespace: NAMESPACE, labels: { "app.kubernetes.io/name": NAME } },
        spec: { ...podSpec, ...spec },
      } as never);
      const started = new Date(Date.now() - 3_600_000).toISOString();
      const running = {
        phase: "Running",
        startTime: started,
        podIP: "10.0.0.1",
        conditions: [{ type: "Ready", status: "True" }],
        containerStatuses: [{ name: "webhook", state: { running: { startedAt: started } } }],
      };
      api.store.update("pods", { ...pod, status: { ...running, ...status } } as never, "status");
    },
    acknowledge(name, instead) {
      const lease = api.store.get(LEASES, NAMESPACE, NAME);
      const { certHash, caHash, acknowledgedCertHash, acknowledgedCaHash } = NAMES;
      const said = lease?.metadata.annotations ?? {};
      const loaded = {
        [acknowledgedCertHash]: said[certHash] ?? "",
        [acknowledgedCaHash]: said[caHash] ?? "",
      };
      story.change("pods", NAMESPACE, name, (pod: { metadata: object }) => ({
        ...pod,
        metadata: { ...pod.metadata, annotations: instead ?? loaded },
      }));
    },
    change(resource, namespace, name, change) {
      api.store.change(resource, namespace, name, (current) => change(current as never) as never);
    },
    async doctor(argv = [], user = "admin") {
      const path = join(directory, "kubeconfig");
      await writeFile(path, api.kubeconfig({ user, namespace: NAMESPACE }), { mode: 0o600 });
      const { code, text } = await runDoctor([
        ...["--webhook", NAME, "--kubeconfig", path, "--json", "--timeout", "2s", ...argv],
      ]);
      return { code, text, report: JSON.parse(text) as ReportJson };
    },
    allow(without = {}) {
      const rules = chartRules.map(([group, resource, name, verbs]) => ({
        apiGroups: [group],
        resources: [resource],
        ...(name === undefined ? {} : { resourceNames: [name] }),
        verbs: verbs.filter(
          (verb) =>
            !(
              (without.resource ?? resource) === resource &&
              (without.verb ?? verb) === verb &&
              (without.name ?? name) === name &&
              Object.keys(without).length > 0
            ),
        ),
      }));
      api.store.create("clusterroles.rbac.authorization.k8s.io", {
        metadata: { name: NAME },
        rules,
      } as never);
      api.store.create("clusterrolebindings.rbac.authorization.k8s.io", {
        metadata: { name: NAME },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: NAME },
        subjects: [{ kind: "ServiceAccount", name: NAME, namespace: NAMESPACE }],
      });
    },
  };
  return {
    ...story,
    async [Symbol.asyncDispose]() {
      await story.stopLeading();
      await api[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export { ACCOUNT };

const podSpec: Fields = {
  serviceAccountName: NAME,
  nodeName: "node-1",
  containers: [
    {
      name: "webhook",
      image: "newleaf",
      args: ["webhook", `--name=${NAME}`, "--certs=/etc/webhook-certs"],
      volumeMounts: [{ name: "certs", mountPath: "/etc/webhook-certs" }],
    },
  ],
  volumes: [{ name: "certs", secret: { secretName: NAME, optional: true } }],
};

const keep = ["get", "list", "watch", "patch"];
const chartRules: readonly (readonly [string, string, string | undefined, readonly string[]])[] = [
  ["", "secrets", NAME, keep],
  ["", "secrets", `${NAME}-ca`, keep],
  ["", "secrets", undefined, ["create"]],
  ["coordination.k8s.io", "leases", NAME, keep],
  ["coordination.k8s.io", "leases", `${NAME}-leader`, ["get", "update"]],
  ["coordination.k8s.io", "leases", undefined, ["create"]],
  ["", "pods", undefined, ["list", "watch", "patch"]],
  ["admissionregistration.k8s.io", "validatingwebhookconfigurations", NAME, keep],
];
