import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createKubeClient, type KubeClient, type Lease, resources, type Secret } from "@newleaf/kube";
import { type KubernetesApi, startKubernetesApi } from "@newleaf/testing";
import { type RunningProgram, startNewleaf } from "./run-newleaf.ts";

export const NAMESPACE = "shop";
export const NAME = "newleaf-webhook";
export const ACCOUNT = `system:serviceaccount:${NAMESPACE}:${NAME}`;

/** An election in seconds, and no wait for API servers that this one does not have. */
export const quick = [
  "--lease-duration", "3s", "--renew-deadline", "2s", "--retry-period", "200ms", "--settle", "100ms",
] as const; // biome-ignore format: an option and its value

/** An API server with a webhook configuration, and replicas behind its Service, each with a Pod and an address. */
export interface WebhookWorld extends AsyncDisposable {
  readonly api: Awaited<ReturnType<typeof startKubernetesApi>>;
  readonly admin: KubeClient;
  readonly directory: string;
  /** A kubeconfig of the webhook's service account, or of another user. */
  kubeconfig(user?: string): Promise<string>;
  /** `newleaf webhook` in a Pod that serves behind the Service. */
  replica(name: string, argv?: readonly string[]): Promise<WebhookReplica>;
  secret(name?: string): Promise<Secret | undefined>;
  lease(name?: string): Promise<Lease | undefined>;
  caBundle(): string | undefined;
  /** Creates an object as kubectl would, through admission; 0 as status is a connection that failed. */
  create(path: string, object: object, method?: string): Promise<Answered>;
}

interface Answered {
  readonly status: number;
  readonly message: string;
  readonly warnings: string;
}

interface WebhookReplica extends RunningProgram {
  readonly name: string;
  /** Is ready, and an endpoint of the Service. Rejects when it ends instead. */
  readonly ready: Promise<void>;
  /** Which certificate it serves, by its serial number; undefined until it is ready. */
  serving(): Promise<string | undefined>;
}

export async function createWebhookWorld(
  options: { readonly authorization?: "rbac" | "allow-all" } = {},
): Promise<WebhookWorld> {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-webhook-"));
  const port = await freePort();
  const replicas: WebhookReplica[] = [];
  const addresses = new Map<string, string>();
  let [turn, started] = [0, 0];
  const api = await startKubernetesApi({
    authorization: options.authorization ?? "allow-all",
    resolveService(namespace, name) {
      if (namespace !== NAMESPACE || name !== NAME || addresses.size === 0) return undefined;
      turn += 1;
      return { host: [...addresses.values()][turn % addresses.size] ?? "", port };
    },
  });
  const admin = createKubeClient({ transport: api.transport({ user: "admin" }), rateLimit: false });
  api.store.create("namespaces", { metadata: { name: NAMESPACE } });
  api.store.create("validatingwebhookconfigurations.admissionregistration.k8s.io", {
    metadata: { name: NAME },
    webhooks: [
      {
        name: "policy.newleaf.dev",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        clientConfig: { service: { namespace: NAMESPACE, name: NAME, path: "/validate" } },
        rules: [
          {
            apiGroups: ["apps"],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE", "DELETE"],
            resources: ["deployments"],
          },
        ],
      },
    ],
  });
  const world: Omit<WebhookWorld, typeof Symbol.asyncDispose> = {
    api,
    admin,
    directory,
    async kubeconfig(user = ACCOUNT) {
      const path = join(directory, `kubeconfig-${user.replaceAll(":", "-")}`);
      await writeFile(path, api.kubeconfig({ user, namespace: NAMESPACE }), { mode: 0o600 });
      return path;
    },
    async replica(name, argv = ["--from-secret"]) {
      started += 1;
      const address = `127.0.1.${started}`;
      createPod(api, name, address);
      const program = startNewleaf([
        "webhook", "--kubeconfig", await world.kubeconfig(), "--pod", name, "--listen", `${address}:${port}`, ...quick,
        ...argv,
      ]); // biome-ignore format: one command line
      const replica: WebhookReplica = {
        ...program,
        name,
        ready: whenReady(program).then(() => void addresses.set(name, address)),
        stop() {
          addresses.delete(name);
          return program.stop();
        },
        async serving() {
          const { status, text } = await program.ask("/rotations");
          return status === 200 ? JSON.parse(text).identity.serialNumber : undefined;
        },
      };
      replicas.push(replica);
      replica.ready.catch(() => {});
      return replica;
    },
    secret: (name = NAME) => get(admin.resource(resources.secrets, { namespace: NAMESPACE }), name),
    lease: (name = NAME) => get(admin.resource(resources.leases, { namespace: NAMESPACE }), name),
    caBundle() {
      const configuration = api.store.get(
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        undefined,
        NAME,
      ) as { webhooks?: { clientConfig: { caBundle?: string } }[] } | undefined;
      return configuration?.webhooks?.[0]?.clientConfig.caBundle;
    },
    create: (path, object, method = "POST") => send(api, method, path, object),
  };
  return {
    ...world,
    async [Symbol.asyncDispose]() {
      await Promise.all(replicas.map((replica) => replica.stop()));
      await admin[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Rejects when it ends instead. */
export async function whenReady(program: RunningProgram): Promise<void> {
  const deadline = AbortSignal.timeout(20_000);
  let code: number | undefined;
  void program.ended.then((ended) => {
    code = ended;
  });
  let last: { readonly status: number; readonly text: string } | undefined;
  while (code === undefined && !deadline.aborted) {
    last = await program.ask("/readyz").catch(() => undefined);
    if (last?.status === 200) return;
    await setTimeout(20);
  }
  throw new Error(code === undefined ? `not ready in time: ${last?.text}` : `ended with ${code}`);
}

function createPod(api: KubernetesApi, name: string, address: string): void {
  const pod = api.store.create("pods", {
    metadata: { name, namespace: NAMESPACE, labels: { "app.kubernetes.io/name": NAME } },
    spec: {
      nodeName: "node",
      containers: [{ name: "webhook", image: "newleaf" }],
      volumes: [{ name: "certs", secret: { secretName: NAME, optional: true } }],
    },
  });
  api.store.update("pods", { ...pod, status: { phase: "Running", podIP: address } }, "status");
}

async function get<T>(
  resource: { get(name: string): Promise<{ ok: true; value: T } | { ok: false }> },
  name: string,
): Promise<T | undefined> {
  const answer = await resource.get(name);
  return answer.ok ? answer.value : undefined;
}

async function send(api: KubernetesApi, method: string, path: string, object: object): Promise<Answered> {
  const answer = await api.handle({
    method,
    path,
    headers: { authorization: `Bearer ${api.token("admin")}`, "content-type": "application/json" },
    body: JSON.stringify(object),
    signal: AbortSignal.timeout(20_000),
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  const { message = "" } = JSON.parse(Buffer.concat(chunks).toString()) as { message?: string };
  return { status: answer.status, message, warnings: String(answer.headers.warning ?? "") };
}

/** A port that is free on every loopback address, most likely. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.1.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}
