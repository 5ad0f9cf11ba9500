// Three replicas of a webhook, whose certificates are led and followed, called by the real kube-apiserver without a
// pause through issue, renewals, rollovers, lost leaders, lost Secrets and a restart of the API server.
// Needs: etcd and kubernetes, kubectl.
import { once } from "node:events";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { connectKube, electLeader, type KubeClient, type Leadership, resources } from "@newleaf/kube";
import { type IdentitySource, isProved, proveServed, rotateServer, serverOptions } from "@newleaf/rotation";
import {
  annotationNames,
  createAdmissionHandler,
  followCertificate,
  type LeaderStatus,
  leadCertificate,
  verdict,
  watchSecret,
} from "@newleaf/webhook";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../bench/peers/peer.ts";
import { component } from "../component.ts";
import { type Kubernetes, kubernetesProgram, startKubernetes } from "../kubernetes.ts";
import { until } from "../until.ts";

const NAMESPACE = "shop";
const NAME = "shop-webhook";
const CONFIGURATION = "shop-webhook.example.org";
const NAMES = annotationNames();
const LIVES = { leafLifeMs: 12_000, authorityLifeMs: 3_600_000, backdateMs: 60_000, settleMs: 2_000 };
const WEBHOOK_CONFIGURATION = {
  apiGroups: ["admissionregistration.k8s.io"],
  resources: ["validatingwebhookconfigurations"],
};

interface Replica {
  readonly name: string;
  readonly port: number;
  readonly source: IdentitySource;
  readonly leadership: Leadership | undefined;
  readonly status: LeaderStatus | undefined;
  stop(): Promise<void>;
}

describe.skipIf(!kubernetesProgram() || !component("NEWLEAF_KUBECTL"))("webhook certificates", () => {
  let kubernetes: Kubernetes;
  let admin: KubeClient;
  let account: string;
  const opened: AsyncDisposable[] = [];
  const replicas = new Map<string, Replica>();
  const ports = new Map<string, number>();
  const admissions = { asked: 0, failed: [] as string[] };
  let calling = true;
  let caller = Promise.resolve();

  beforeAll(async () => {
    kubernetes = await startKubernetes({ audit: true });
    const connected = await connectKube({ kubeconfig: kubernetes.kubeconfig, rateLimit: false });
    opened.push(connected);
    admin = connected.client;
    const leases = { apiGroups: ["coordination.k8s.io"], resources: ["leases"] };
    const secrets = { apiGroups: [""], resources: ["secrets"] };
    const pods = { apiGroups: [""], resources: ["pods"] };
    ({ kubeconfig: account } = await kubernetes.serviceAccount({
      name: "webhook",
      namespace: NAMESPACE,
      rules: [
        { ...secrets, verbs: ["create"] },
        { ...secrets, resourceNames: [NAME, `${NAME}-ca`], verbs: ["get", "list", "watch", "patch"] },
        { ...leases, verbs: ["create"] },
        { ...leases, resourceNames: [NAME], verbs: ["get", "list", "watch", "patch"] },
        { ...leases, resourceNames: [`${NAME}-leader`], verbs: ["get", "update"] },
        { ...pods, verbs: ["list", "watch", "patch"] },
      ],
      clusterRules: [
        {
          ...WEBHOOK_CONFIGURATION,
          resourceNames: [CONFIGURATION],
          verbs: ["get", "list", "watch", "patch"],
        },
      ],
    }));
    for (const name of ["shop-0", "shop-1", "shop-2"]) ports.set(name, await freePort());
    await configure();
    for (const name of ports.keys()) await createPod(name);
    await Promise.all([...ports.keys()].map(start));
    await until("the webhook answers", () => admit("first"), 20_000);
    admissions.failed.length = 0;
    caller = callOnAndOn();
  });
  afterAll(async () => {
    calling = false;
    await caller;
    await Promise.all([...replicas.values()].map((replica) => replica.stop()));
    for (const item of opened) await item[Symbol.asyncDispose]();
    await kubernetes?.[Symbol.asyncDispose]();
  });

  async function configure(): Promise<void> {
    const webhooks = [...ports].map(([name, port]) => ({
      name: `${name}.example.org`,
      admissionReviewVersions: ["v1"],
      sideEffects: "None" as const,
      failurePolicy: "Fail" as const,
      timeoutSeconds: 5,
      clientConfig: { url: `https://127.0.0.1:${port}/validate` },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": NAMESPACE } },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
    }));
    const configurations = admin.resource(resources.validatingWebhookConfigurations);
    const answer = await configurations.create({ metadata: { name: CONFIGURATION }, webhooks });
    if (!answer.ok) throw new Error(answer.status.message);
  }

  async function createPod(name: string): Promise<void> {
    const pods = admin.resource(resources.pods, { namespace: NAMESPACE });
    const metadata = { name, labels: { app: NAME } };
    const answer = await pods.create({
      metadata,
      spec: { containers: [{ name: "webhook", image: "webhook" }] },
    });
    if (!answer.ok) throw new Error(answer.status.message);
    const body = { status: { phase: "Running" } };
    await pods.patch(name, { type: "merge", body }, { subresource: "status" });
  }

  async function start(name: string): Promise<void> {
    const port = ports.get(name) ?? 0;
    const connected = await connectKube({ kubeconfig: account, rateLimit: false });
    const { client } = connected;
    const leases = client.resource(resources.leases, { namespace: NAMESPACE });
    const secrets = client.resource(resources.secrets, { namespace: NAMESPACE });
    const pods = client.resource(resources.pods, { namespace: NAMESPACE });
    const stopping = new AbortController();
    const about: { leadership: Leadership | undefined; status: LeaderStatus | undefined } = {
      leadership: undefined,
      status: undefined,
    };
    const leading = electLeader({
      ...{ leases, name: `${NAME}-leader`, identity: name, signal: stopping.signal },
      ...{ leaseDurationMs: 4_000, renewDeadlineMs: 3_000, retryPeriodMs: 500 },
      async lead(leadership) {
        about.leadership = leadership;
        await leadCertificate({
          ...{ client, namespace: NAMESPACE, name: NAME, identity: name, leadership, ...LIVES },
          serving: { dnsNames: [`webhook.${NAMESPACE}.svc`], ips: ["127.0.0.1"] },
          targets: [{ kind: "ValidatingWebhookConfiguration", name: CONFIGURATION }],
          replicas: { labelSelector: `app=${NAME}`, prove },
          onStatus: (status) => {
            about.status = status;
          },
        });
        about.leadership = undefined;
      },
    });
    const source = await followCertificate({
      ...{ leases, name: NAME, signal: stopping.signal },
      mount: (options) => watchSecret({ ...options, secrets, name: NAME }),
      acknowledge: { pods, pod: { name } },
    });
    const clientCertificates = "none" as const;
    const handler = createAdmissionHandler({ validate: () => verdict.allow() });
    const server = https.createServer(serverOptions(source, { clientCertificates }), handler);
    const rotation = rotateServer(server, source, { clientCertificates });
    await once(server.listen(port, "127.0.0.1"), "listening");
    replicas.set(name, {
      ...{ name, port, source },
      get leadership() {
        return about.leadership;
      },
      get status() {
        return about.status;
      },
      async stop() {
        replicas.delete(name);
        stopping.abort();
        await leading;
        server.close();
        await rotation[Symbol.asyncDispose]();
        server.closeAllConnections();
        await source[Symbol.asyncDispose]();
        await connected[Symbol.asyncDispose]();
      },
    });
  }

  const prove: NonNullable<Parameters<typeof leadCertificate>[0]["replicas"]>["prove"] = async (
    { name },
    expected,
    { trust, signal },
  ) => {
    const [report] = await proveServed([`tls://127.0.0.1:${ports.get(name)}`], expected, { trust, signal });
    return report && isProved(report) ? undefined : report?.verdict;
  };

  async function admit(name: string): Promise<boolean> {
    const configMaps = admin.resource(resources.configMaps, { namespace: NAMESPACE });
    const answer = await configMaps.create({ metadata: { generateName: `${name}-` } });
    if (!answer.ok) admissions.failed.push(answer.status.message);
    return answer.ok;
  }

  async function callOnAndOn(): Promise<void> {
    while (calling) {
      admissions.asked += 1;
      // An API server that is not there admits nothing and refuses nothing.
      await admit("load").catch(() => {});
      await sleep(50);
    }
  }

  const leader = (): Replica | undefined => [...replicas.values()].find(({ leadership }) => leadership);
  const served = (): Set<string> =>
    new Set([...replicas.values()].map(({ source }) => source.current().leaf.sha256));
  const annotated = async (): Promise<Readonly<Record<string, string>>> => {
    const secrets = admin.resource(resources.secrets, { namespace: NAMESPACE });
    const answer = await secrets.get(`${NAME}-ca`);
    return (answer.ok && answer.value.metadata?.annotations) || {};
  };
  async function rollover(): Promise<void> {
    const before = served();
    const secrets = admin.resource(resources.secrets, { namespace: NAMESPACE });
    const body = { metadata: { annotations: { [NAMES.rolloverRequested]: "now" } } };
    await secrets.patch(`${NAME}-ca`, { type: "merge", body });
    await until(
      "the rollover is over",
      async () => {
        const annotations = await annotated();
        const over = !(NAMES.rollover in annotations) && !(NAMES.rolloverRequested in annotations);
        return over && served().size === 1 && [...served()].every((leaf) => !before.has(leaf));
      },
      40_000,
    );
  }

  test("renewals reach every replica", async () => {
    const seen = new Set<string>();
    await until(
      "three renewals",
      () => {
        for (const leaf of served()) seen.add(leaf);
        return seen.size >= 4;
      },
      50_000,
    );
    expect(admissions.failed).toEqual([]);
  });

  test("a rollover", async () => {
    await rollover();
    expect(admissions.failed).toEqual([]);
    expect(admissions.asked).toBeGreaterThan(100);
  });

  test("a deleted serving Secret, and a lost CA Secret", async () => {
    const secrets = admin.resource(resources.secrets, { namespace: NAMESPACE });
    const before = served();
    await secrets.delete(NAME);
    await until("another certificate", () => [...served()].every((leaf) => !before.has(leaf)), 10_000);
    await secrets.delete(`${NAME}-ca`);
    await until("another authority", async () => NAMES.rollover in (await annotated()), 10_000);
    await until("the rollover is over", async () => !(NAMES.rollover in (await annotated())), 40_000);
    expect(admissions.failed).toEqual([]);
  });

  test("a leader that goes in the middle of a rollover", async () => {
    const old = leader();
    const rolling = rollover();
    await until("the rollover has begun", async () => NAMES.rollover in (await annotated()));
    // Not the whole replica: who serves goes on serving.
    const pods = admin.resource(resources.pods, { namespace: NAMESPACE });
    await pods.delete(old?.name ?? "", { gracePeriodSeconds: 0 });
    const configurations = admin.resource(resources.validatingWebhookConfigurations);
    const body = [{ op: "remove" as const, path: `/webhooks/${[...ports.keys()].indexOf(old?.name ?? "")}` }];
    await configurations.patch(CONFIGURATION, { type: "json", body });
    await sleep(1_500);
    await old?.stop();
    await rolling;
    expect(leader()?.name).not.toBe(old?.name);
    expect(admissions.failed).toEqual([]);
  });

  test("a restart of the API server", async () => {
    await kubernetes.restart();
    await rollover();
    expect(admissions.failed).toEqual([]);
  });

  test("a wiped caBundle is back within a second", async () => {
    const configurations = admin.resource(resources.validatingWebhookConfigurations);
    const body = [{ op: "remove" as const, path: "/webhooks/0/clientConfig/caBundle" }];
    await configurations.patch(CONFIGURATION, { type: "json", body });
    await until(
      "the caBundle is back",
      async () => {
        const answer = await configurations.get(CONFIGURATION);
        return (
          answer.ok && answer.value.webhooks?.every(({ clientConfig }) => clientConfig.caBundle !== undefined)
        );
      },
      1_000,
    );
  });
});
