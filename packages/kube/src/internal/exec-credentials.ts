import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { ExecPlugin, Pem } from "../kube-config.ts";
import type { Environment } from "../kubeconfig.ts";
import type { Logger } from "../logger.ts";
import { bearer, type Credential, type Credentials } from "./credential.ts";
import { readBounded } from "./read-bounded.ts";
import { runPlugin } from "./run-plugin.ts";

export interface ExecOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the plugin runs with, PATH included. */
  readonly env: Environment;
  /** Whether somebody is there to answer a plugin's questions, at this process's terminal. */
  readonly interactive: boolean;
  /** The cluster's authority, of which a plugin may be told. */
  readonly ca?: Pem | undefined;
}

/**
 * Credentials of a plugin: kept until they expire or are refused, and obtained by one run however many wait for them
 * (client-go, plugin/pkg/client/auth/exec).
 */
export function createExecCredentials(plugin: ExecPlugin, options: ExecOptions): Credentials {
  const { clock, logger } = options;
  const closing = new AbortController();
  let kept: { readonly credential: Credential; readonly expiresAt: number } | undefined;
  let running: Promise<Credential> | undefined;

  return {
    current: () =>
      kept !== undefined && clock.now() < kept.expiresAt ? Promise.resolve(kept.credential) : obtain(),
    async renew(refused) {
      if (kept?.credential === refused) kept = undefined;
      return (await this.current()) !== refused;
    },
    async close() {
      closing.abort(new KubeError("ERR_KUBE_CLOSED", "closed while a credential plugin ran"));
      await running?.catch(() => {});
    },
  };

  function obtain(): Promise<Credential> {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function run(): Promise<Credential> {
    const since = clock.monotonic();
    const output = await runPlugin(plugin, {
      ...options,
      info: await execInfo(plugin, options),
      signal: closing.signal,
    });
    const { credential, expiresAt } = parseExecCredential(output, plugin);
    kept = { credential, expiresAt };
    const durationMs = Math.round(clock.monotonic() - since);
    logger.debug({ command: plugin.command, durationMs }, "credential plugin gave a credential");
    return credential;
  }
}

/** KUBERNETES_EXEC_INFO, an ExecCredential with a spec. */
async function execInfo(
  { apiVersion, cluster }: ExecPlugin,
  { ca, interactive }: ExecOptions,
): Promise<string> {
  const fromFile = cluster && ca && "file" in ca ? await readBounded(ca.file, MAX_CA_BYTES) : undefined;
  const authority = fromFile && { "certificate-authority-data": Buffer.from(fromFile).toString("base64") };
  const spec = { ...(cluster && { cluster: { ...cluster, ...authority } }), interactive };
  return JSON.stringify({ kind: "ExecCredential", apiVersion, spec });
}

const MAX_CA_BYTES = 2 ** 20;

/** Throws ERR_KUBE_EXEC, in whose message nothing of the output is. */
function parseExecCredential(
  output: string,
  { command, apiVersion }: ExecPlugin,
): { readonly credential: Credential; readonly expiresAt: number } {
  const bad = (why: string): KubeError =>
    new KubeError("ERR_KUBE_EXEC", `credential plugin ${command} printed ${why}`);
  const printed = parseJson(output);
  if (printed?.kind !== "ExecCredential") throw bad("no ExecCredential");
  if (printed.apiVersion !== apiVersion) throw bad(`an ExecCredential of another version than ${apiVersion}`);
  const {
    token,
    clientCertificateData: cert,
    clientKeyData: key,
    expirationTimestamp,
  } = printed.status ?? {};
  if (!token && !cert && !key) throw bad("neither a token nor a client certificate");
  if (!isText(token) || !isText(cert) || !isText(key)) throw bad("a credential that is no text");
  if (!cert !== !key) throw bad("a client certificate without its key, or the other way round");
  const expiresAt = expirationTimestamp ? Date.parse(expirationTimestamp) : Number.POSITIVE_INFINITY;
  if (Number.isNaN(expiresAt)) throw bad("an expirationTimestamp that is no time");
  const credential = {
    authorization: token ? bearer(token, `credential plugin ${command}`) : undefined,
    clientCertificate: cert && key ? { cert, key } : undefined,
  };
  return { credential, expiresAt };
}

interface PrintedCredential {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly status?: {
    readonly token?: string;
    readonly clientCertificateData?: string;
    readonly clientKeyData?: string;
    readonly expirationTimestamp?: string;
  };
}

function parseJson(text: string): PrintedCredential | null | undefined {
  try {
    return JSON.parse(text) as PrintedCredential | null;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): boolean {
  return value === undefined || value === null || typeof value === "string";
}
