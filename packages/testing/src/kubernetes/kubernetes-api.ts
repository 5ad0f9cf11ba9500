import { type CallWebhook, createAdmission } from "./admission.ts";
import { createAdmittedWriter } from "./admitted-write.ts";
import { type ApiListener, type ListenOptions, listenForApi } from "./api-listener.ts";
import { type AuditLog, createAuditLog } from "./audit.ts";
import { type Authenticator, createAuthenticator } from "./authentication.ts";
import { createBootstrapPolicy } from "./bootstrap-policy.ts";
import { createWebhookCaller, type ResolveService } from "./call-webhook.ts";
import { createFaultBook, type Faults } from "./faults.ts";
import { createKubeStore, type KubeStore, type StoreClock } from "./kube-store.ts";
import { formatKubeconfig, type KubeconfigOptions } from "./kubeconfig.ts";
import { allowAll, createRbacAuthorizer } from "./rbac.ts";
import { type ApiRequest, type ApiResponse, createRequestHandler } from "./request-handler.ts";
import type { ResourceServer } from "./resource-call.ts";
import { systemClock } from "./system-clock.ts";

export interface KubernetesApiOptions {
  readonly clock?: StoreClock;
  /** In [0, 1); with it and the clock everything that is answered is determined. */
  readonly random?: () => number;
  /** `rbac` judges by the stored Roles and bindings; by default everybody may do everything. */
  readonly authorization?: "allow-all" | "rbac";
  /** Groups of users by name; `admin` is in `system:masters` unless said otherwise. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Changes that watches and lists can go back to; 10,000. */
  readonly historyLimit?: number;
  /** How often a watch that wants bookmarks gets one; 60,000. */
  readonly bookmarkMs?: number;
  /** Requests that `audit` remembers; 10,000. */
  readonly auditLimit?: number;
  /** Keeps `managedFields`, as server-side apply needs them; default true. Without them writes cost less. */
  readonly managedFields?: boolean;
  /** Where webhooks that name a Service are called; they fail without it. */
  readonly resolveService?: ResolveService;
  /** How webhooks are called; over HTTPS by default. */
  readonly callWebhook?: CallWebhook;
  /** How long after it changed a webhook configuration is heeded, as by the informer of an API server; 0. */
  readonly webhookConfigDelayMs?: number;
}

/**
 * An API server of Kubernetes in this process. `handle` is all of it: one request and its answer, with no I/O of its
 * own; structurally the `send` of `@newleaf/kube`'s transport.
 */
export interface KubernetesApi extends AsyncDisposable {
  readonly store: KubeStore;
  readonly faults: Faults;
  readonly audit: AuditLog;
  /** Rejects as a connection does, with `ECONNREFUSED` or `ECONNRESET`, or with the signal's reason. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** A transport that carries requests here, as this user or anonymously. */
  transport(of?: { readonly user?: string }): {
    readonly server: string;
    send(request: ApiRequest): Promise<ApiResponse>;
  } & AsyncDisposable;
  /** A bearer token of a user (`system:serviceaccount:NAMESPACE:NAME` is one too), the same until they are rotated. */
  token(user: string): string;
  /** From now on all tokens that were given out are 401. */
  rotateTokens(): void;
  /** Ends all watches, as a restart does; `history: "lost"` makes versions before now expired. */
  restart(options?: { readonly history?: "kept" | "lost" }): void;
  /** Serves it on 127.0.0.1 until the listener, or all of it, is disposed of. */
  listen(options?: ListenOptions): Promise<ApiListener>;
  /** For the listener that was opened last; throws when there is none. */
  kubeconfig(options?: KubeconfigOptions): string;
  /** Open watches. */
  readonly watches: number;
}

/** Creates an API server with nothing in it but the namespaces that every cluster has. */
export function createKubernetesApi(options: KubernetesApiOptions = {}): KubernetesApi {
  const { random = Math.random, clock: realClock = systemClock } = options;
  const faults = createFaultBook();
  const clock: StoreClock = {
    now: () => realClock.now() + faults.skewMs,
    setTimeout: (callback, ms) => realClock.setTimeout(callback, ms),
  };
  const { historyLimit } = options;
  const store = createKubeStore({ clock, random, ...(historyLimit === undefined ? {} : { historyLimit }) });
  const rbac = options.authorization === "rbac";
  if (rbac) createBootstrapPolicy(store);
  const authorizer = rbac ? createRbacAuthorizer(store) : allowAll;
  const groups = { admin: ["system:masters"], ...options.groups };
  const authenticator: Authenticator = createAuthenticator({ store, clock, random, groups });
  const audit = createAuditLog(options.auditLimit ?? 10_000);
  const watches = new Set<{ end(): void }>();
  const listeners: ApiListener[] = [];
  const webhooks = createWebhookCaller(options.resolveService);
  const admission = createAdmission({
    store,
    clock,
    random,
    configDelayMs: options.webhookConfigDelayMs ?? 0,
    callWebhook: options.callWebhook ?? webhooks.call,
  });

  const server: ResourceServer = {
    store,
    clock,
    random,
    managedFields: options.managedFields ?? true,
    bookmarkMs: options.bookmarkMs ?? 60_000,
    write: createAdmittedWriter(store, admission),
    admitDelete: (call, oldObject, dryRun) =>
      admission.validate({ call, operation: "DELETE", object: undefined, oldObject, dryRun }),
    disturb: (call, item) => faults.disturb({ info: call.info, user: call.user.name }, item),
    expiredAsStatus: () => faults.expiredAsStatus,
    opened(watch) {
      watches.add(watch);
      return () => void watches.delete(watch);
    },
  };
  const handle = createRequestHandler({ server, clock, random, faults, audit, authorizer, authenticator });

  return {
    store,
    faults,
    audit,
    handle,
    transport: ({ user } = {}) => ({
      server: "in process",
      send: (request) =>
        handle(
          user === undefined
            ? request
            : {
                ...request,
                headers: { ...request.headers, authorization: `Bearer ${authenticator.token(user)}` },
              },
        ),
      async [Symbol.asyncDispose]() {},
    }),
    token: (user) => authenticator.token(user),
    rotateTokens: () => authenticator.rotateTokens(),
    restart({ history = "kept" } = {}) {
      for (const watch of [...watches]) watch.end();
      if (history === "lost") store.table.forgetHistory();
    },
    async listen(listenOptions) {
      const listener = await listenForApi(handle, listenOptions);
      listeners.push(listener);
      return listener;
    },
    kubeconfig(of) {
      const listener = listeners.at(-1);
      if (!listener) throw new Error("there is no kubeconfig for an API server that does not listen");
      return formatKubeconfig(listener, authenticator.token, of);
    },
    get watches() {
      return watches.size;
    },
    async [Symbol.asyncDispose]() {
      for (const watch of [...watches]) watch.end();
      store.close();
      webhooks.close();
      await Promise.all(listeners.map((listener) => listener[Symbol.asyncDispose]()));
    },
  };
}

/** Creates one and listens: with a URL, a CA and a kubeconfig. */
export async function startKubernetesApi(
  options: KubernetesApiOptions & ListenOptions = {},
): Promise<KubernetesApi & { readonly listener: ApiListener; readonly url: string }> {
  const api = createKubernetesApi(options);
  const listener = await api.listen(options);
  return Object.assign(api, { listener, url: listener.url });
}
