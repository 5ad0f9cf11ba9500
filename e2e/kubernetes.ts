import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { freePort } from "../bench/peers/peer.ts";
import { component } from "./component.ts";
import { type Administrator, createAdministrator } from "./kubernetes/administrator.ts";
import { type AuditEvent, readAuditLog, writeAuditPolicy } from "./kubernetes/audit-log.ts";
import { createControlPlaneCertificates } from "./kubernetes/certificates.ts";
import { apiServerFlags, controllerManagerFlags, etcdFlags } from "./kubernetes/flags.ts";
import { kubeconfigText } from "./kubernetes/kubeconfig.ts";
import { createServiceAccount } from "./kubernetes/service-account.ts";
import { run } from "./process.ts";
import { createProgram, type Program } from "./program.ts";
import { until } from "./until.ts";

export interface KubernetesOptions {
  /** Counts requests: `audit()`. */
  readonly audit?: boolean;
  /** Deployments get Pods (which nothing runs), namespaces get service accounts, what is owned is collected. */
  readonly controllerManager?: boolean;
  /** More flags of the API server. */
  readonly flags?: readonly string[];
}

/** A rule of RBAC: `verbs` on `resources` of `apiGroups`, perhaps only those of `resourceNames`. */
export interface PolicyRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

export interface ServiceAccountOptions {
  readonly name: string;
  /** Made when absent. Default `default`. */
  readonly namespace?: string;
  /** What it may do in its namespace. */
  readonly rules?: readonly PolicyRule[];
  /** What it may do everywhere. */
  readonly clusterRules?: readonly PolicyRule[];
  /** Of the token; at least 600. Default 3600. */
  readonly expirationSeconds?: number;
}

/** Files and words by which a user is known to the API server. */
interface KubernetesUser {
  readonly username: string;
  readonly kubeconfig: string;
}

/** A real kube-apiserver with RBAC, and its etcd, on 127.0.0.1; everything of theirs is in one temporary folder. */
export interface Kubernetes extends AsyncDisposable {
  readonly url: string;
  readonly caFile: string;
  /** The administrator's, a file. */
  readonly kubeconfig: string;
  readonly apiServer: Program;
  readonly administrator: Administrator;
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Who is known by a client certificate. */
  user(name: string, groups?: readonly string[]): KubernetesUser;
  /** A service account with its rights and a token (TokenRequest). */
  serviceAccount(options: ServiceAccountOptions): Promise<KubernetesUser & { readonly token: string }>;
  /** Ends the API server; etcd stays. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Resolves when it is ready. */
  start(): Promise<void>;
  restart(): Promise<void>;
  /** SIGSTOP: connections stay, and nothing answers. */
  pause(): void;
  resume(): void;
  /** Forgets all history in etcd: continue tokens and old versions are gone. */
  compact(): Promise<void>;
  /** Requests that were answered so far, those of the administrator too. */
  audit(): AuditEvent[];
}

/** The component that `startKubernetes` needs beside etcd; undefined where either is absent. */
export function kubernetesProgram(): string | undefined {
  return component("NEWLEAF_ETCD") && component("NEWLEAF_KUBERNETES");
}

/** Takes some five seconds. */
export async function startKubernetes(options: KubernetesOptions = {}): Promise<Kubernetes> {
  const [etcdProgram, program] = [component("NEWLEAF_ETCD"), component("NEWLEAF_KUBERNETES")];
  if (etcdProgram === undefined || program === undefined)
    throw new Error("etcd or kubernetes is not installed");
  const box = mkdtempSync(join(tmpdir(), "newleaf-kubernetes-"));
  const certificates = createControlPlaneCertificates(join(box, "certificates"));
  const { caFile } = certificates;
  const [port, etcdPort, peerPort] = [await freePort(), await freePort(), await freePort()];
  const url = `https://127.0.0.1:${port}`;
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const audit = { policyFile: join(box, "audit-policy.json"), logFile: join(box, "audit.log") };
  writeAuditPolicy(audit.policyFile);

  const writeKubeconfig = (name: string, credential: Parameters<typeof kubeconfigText>[2]): string => {
    const file = join(box, `${name.replace(/[^\w.-]/g, "_")}.kubeconfig`);
    writeFileSync(file, kubeconfigText(url, caFile, credential), { mode: 0o600 });
    return file;
  };
  const admin = certificates.issueUser("admin", ["system:masters"]);
  const kubeconfig = writeKubeconfig("admin", admin);
  const administrator = createAdministrator(url, { caFile, ...admin });

  const etcd = createProgram({
    program: etcdProgram,
    args: etcdFlags(join(box, "etcd"), etcdUrl, `http://127.0.0.1:${peerPort}`),
    ready: /ready to serve client requests/,
  });
  mkdirSync(join(box, "apiserver"));
  const settings = {
    directory: join(box, "apiserver"),
    port,
    etcdUrl,
    certificates,
    audit: options.audit ? audit : undefined,
    admitServiceAccounts: options.controllerManager ?? false,
  };
  const apiServer = createProgram({
    program,
    args: [...apiServerFlags(settings), ...(options.flags ?? [])],
    ready: /Serving securely/,
    readyTimeoutMs: 60_000,
  });
  const controllerManager = createProgram({
    program: join(dirname(program), "kube-controller-manager"),
    args: controllerManagerFlags(kubeconfig, certificates),
    ready: /Garbage collector: all resource monitors have synced/,
    readyTimeoutMs: 60_000,
  });
  const start = async (): Promise<void> => {
    await apiServer.start();
    await until(
      "the API server is ready",
      async () => (await administrator.status("/readyz")) === 200,
      60_000,
    );
  };
  const resume = (): void => apiServer.signal("SIGCONT");
  const stop = async (): Promise<void> => {
    resume();
    await apiServer.stop();
  };
  const dispose = async (): Promise<void> => {
    administrator.close();
    await controllerManager.stop();
    // Nothing of it is needed any more, and a graceful end takes seconds.
    await apiServer.kill();
    await etcd.kill();
    rmSync(box, { recursive: true });
  };

  try {
    await etcd.start();
    await start();
    if (options.controllerManager) await controllerManager.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  let disposed: Promise<void> | undefined;
  return {
    url,
    caFile,
    kubeconfig,
    apiServer,
    administrator,
    async kubectl(args, input) {
      const kubectl = component("NEWLEAF_KUBECTL");
      if (kubectl === undefined) throw new Error("kubectl is not installed");
      const given = ["--kubeconfig", kubeconfig, ...args];
      const { code, stdout, stderr } = await run(kubectl, given, input === undefined ? {} : { input });
      if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
      return stdout;
    },
    user: (name, groups = []) => ({
      username: name,
      kubeconfig: writeKubeconfig(name, certificates.issueUser(name, groups)),
    }),
    async serviceAccount(account) {
      const token = await createServiceAccount(administrator, account);
      const username = `system:serviceaccount:${account.namespace ?? "default"}:${account.name}`;
      return { username, token, kubeconfig: writeKubeconfig(username, { token }) };
    },
    stop,
    kill: () => apiServer.kill(),
    start,
    async restart() {
      await stop();
      await start();
    },
    pause: () => apiServer.signal("SIGSTOP"),
    resume,
    async compact() {
      const call = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
        const signal = AbortSignal.timeout(10_000);
        const response = await fetch(`${etcdUrl}${path}`, {
          method: "POST",
          body: JSON.stringify(body),
          signal,
        });
        if (!response.ok) throw new Error(`etcd ${path}: ${response.status} ${await response.text()}`);
        return (await response.json()) as { header: { revision: string } };
      };
      const { header } = await call("/v3/kv/range", { key: "AA==", limit: 1 });
      await call("/v3/kv/compaction", { revision: header.revision });
    },
    audit: () => readAuditLog(audit.logFile),
    [Symbol.asyncDispose]: () => {
      disposed ??= dispose();
      return disposed;
    },
  };
}
