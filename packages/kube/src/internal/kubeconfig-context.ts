import { isAbsolute } from "node:path";
import { KubeError } from "../error.ts";
import type { ExecPlugin, Impersonation, KubeConfig, KubeTls, KubeUser, Pem } from "../kube-config.ts";
import type { KubeconfigOptions } from "../kubeconfig.ts";
import type { Fields } from "./fields.ts";
import type { KubeconfigDocument } from "./kubeconfig-document.ts";
import { proxyFromEnvironment } from "./proxy-from-environment.ts";
import { parseProxyUrl, parseServerUrl } from "./server-url.ts";

/** What one context comes to. Throws ERR_KUBE_CONFIG. */
export function resolveContext(
  document: KubeconfigDocument,
  options: Pick<KubeconfigOptions, "context" | "env">,
): KubeConfig {
  const name = options.context ?? document.currentContext;
  const files = document.files.join(", ");
  if (name === undefined)
    throw new KubeError("ERR_KUBE_CONFIG", `kubeconfig ${files} has no current context`);
  const context = find(document.contexts, "context", name, files);
  const cluster = find(document.clusters, "cluster", context.string("cluster"), context.where);
  const userName = context.string("user");
  const user = userName === undefined ? undefined : find(document.users, "user", userName, context.where);
  const server = cluster.string("server");
  if (server === undefined) throw cluster.error("has no server");
  const url = parseServerUrl(server, cluster.where);
  const tls = tlsOf(cluster, user);
  const proxyUrl = cluster.string("proxy-url") ?? proxyFromEnvironment(url, options.env ?? {});
  if (proxyUrl !== undefined) parseProxyUrl(proxyUrl, cluster.where);
  return {
    server: url.href,
    namespace: context.string("namespace") ?? "default",
    origin: `context ${JSON.stringify(name)} of ${files}`,
    tls,
    user: user === undefined ? {} : userOf(user, cluster, tls),
    proxyUrl,
  };
}

function find(
  named: ReadonlyMap<string, Fields>,
  what: string,
  name: string | undefined,
  where: string,
): Fields {
  if (name === undefined) throw new KubeError("ERR_KUBE_CONFIG", `${where} names no ${what}`);
  const found = named.get(name);
  if (found !== undefined) return found;
  const others = [...named.keys()].map((other) => JSON.stringify(other)).join(", ") || "none";
  const message = `${where}: no ${what} ${JSON.stringify(name)}; there is ${others}`;
  throw new KubeError("ERR_KUBE_CONFIG", message);
}

function tlsOf(cluster: Fields, user: Fields | undefined): KubeTls {
  const ca = pemOf(cluster, "certificate-authority");
  const insecureSkipVerify = cluster.boolean("insecure-skip-tls-verify");
  if (ca !== undefined && insecureSkipVerify) {
    throw cluster.error("has both a certificate authority and insecure-skip-tls-verify");
  }
  const cert = user && pemOf(user, "client-certificate");
  const key = user && pemOf(user, "client-key");
  if (user && (cert === undefined) !== (key === undefined)) {
    throw user.error(
      `has a client ${cert ? "certificate" : "key"} without its ${cert ? "key" : "certificate"}`,
    );
  }
  return { ca, cert, key, serverName: cluster.string("tls-server-name"), insecureSkipVerify };
}

function pemOf(fields: Fields, name: string): Pem | undefined {
  const pem = fields.data(`${name}-data`);
  if (pem !== undefined) return { pem };
  const file = fields.path(name);
  return file === undefined ? undefined : { file };
}

function userOf(user: Fields, cluster: Fields, tls: KubeTls): KubeUser {
  if (user.has("auth-provider")) {
    throw user.error(
      "uses an auth-provider, which Kubernetes 1.26 removed; hint: use the exec plugin of your provider",
    );
  }
  const [username, password] = [user.string("username"), user.string("password")];
  const token = user.string("token");
  const tokenFile = user.path("tokenFile");
  if (username !== undefined && (token ?? tokenFile) !== undefined) {
    throw user.error("has both a user name with password and a token");
  }
  return {
    token,
    tokenFile,
    username,
    password,
    exec: user.has("exec") ? execOf(user.object("exec"), cluster, tls) : undefined,
    impersonate: impersonationOf(user),
  };
}

const EXEC_VERSIONS: ReadonlySet<string> = new Set([
  "client.authentication.k8s.io/v1",
  "client.authentication.k8s.io/v1beta1",
]);

function execOf(exec: Fields, cluster: Fields, tls: KubeTls): ExecPlugin {
  const apiVersion = exec.string("apiVersion") ?? "";
  if (!EXEC_VERSIONS.has(apiVersion)) {
    throw exec.error(`has an apiVersion that is none of ${[...EXEC_VERSIONS].join(", ")}`);
  }
  const command = exec.string("command");
  if (command === undefined) throw exec.error("has no command");
  const interactiveMode = exec.string("interactiveMode") ?? "IfAvailable";
  if (interactiveMode !== "Never" && interactiveMode !== "IfAvailable" && interactiveMode !== "Always") {
    throw exec.error("has an interactiveMode that is none of Never, IfAvailable, Always");
  }
  const env = exec
    .list("env")
    .map((item) => [item.string("name") ?? "", item.string("value") ?? ""] as const);
  return {
    apiVersion: apiVersion as ExecPlugin["apiVersion"],
    // A name is looked for in PATH; a path is relative to the kubeconfig.
    command: command.includes("/") && !isAbsolute(command) ? (exec.path("command") ?? command) : command,
    args: exec.strings("args"),
    env: Object.fromEntries(env),
    installHint: exec.string("installHint"),
    interactiveMode,
    cluster: exec.boolean("provideClusterInfo") ? clusterInfo(cluster, tls) : undefined,
  };
}

/** The `Cluster` of client.authentication.k8s.io; the authority's file, where it is one, is put in by who runs the plugin. */
function clusterInfo(cluster: Fields, tls: KubeTls): object {
  const config = cluster
    .list("extensions")
    .find((extension) => extension.string("name") === "client.authentication.k8s.io/exec")
    ?.raw("extension");
  return {
    server: cluster.string("server"),
    ...(tls.serverName !== undefined && { "tls-server-name": tls.serverName }),
    ...(tls.insecureSkipVerify && { "insecure-skip-tls-verify": true }),
    ...(tls.ca &&
      "pem" in tls.ca && { "certificate-authority-data": Buffer.from(tls.ca.pem).toString("base64") }),
    ...(cluster.has("proxy-url") && { "proxy-url": cluster.string("proxy-url") }),
    ...(config !== undefined && { config }),
  };
}

function impersonationOf(user: Fields): Impersonation | undefined {
  const [userName, uid, groups] = [user.string("as"), user.string("as-uid"), user.strings("as-groups")];
  const extra = user.object("as-user-extra");
  const keys = extra.names();
  if (userName === undefined) {
    if (uid === undefined && groups.length === 0 && keys.length === 0) return undefined;
    throw user.error("impersonates a uid, groups or extra, and no user");
  }
  return { userName, uid, groups, extra: Object.fromEntries(keys.map((key) => [key, extra.strings(key)])) };
}
