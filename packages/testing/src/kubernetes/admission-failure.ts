import type { MatchedWebhook } from "./admission-match.ts";

/** Why a webhook could not be asked, in the words of the API server. */
export function callFailure(webhook: MatchedWebhook, error: unknown): string {
  const url = urlOf(webhook);
  const { code = "", message } = error as { code?: string; message: string };
  const said = `failed calling webhook ${JSON.stringify(webhook.name)}: failed to call webhook`;
  const where = `Post "${url}?timeout=${webhook.timeoutMs / 1000}s"`;
  const tls = tlsFailures[code];
  if (tls) return `${said}: ${where}: tls: failed to verify certificate: x509: ${tls(message)}`;
  if (code === "ECONNREFUSED")
    return `${said}: ${where}: dial tcp ${addressOf(url)}: connect: connection refused`;
  if (code === "ECONNRESET") return `${said}: ${where}: EOF`;
  if (code === "ETIMEDOUT") return `${said}: ${where}: context deadline exceeded`;
  return `${said}: ${code === "" ? "" : `${where}: `}${message}`;
}

/** Where it is called; a Service by its name in the cluster. */
export function urlOf({ clientConfig: { url, service } }: MatchedWebhook): string {
  if (url !== undefined) return url;
  if (!service) return "";
  const path = service.path.startsWith("/") ? service.path : `/${service.path}`;
  return `https://${service.name}.${service.namespace}.svc:${service.port}${path}`;
}

function addressOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || 443}`;
}

const unknownAuthority = (): string => "certificate signed by unknown authority";
const tlsFailures: Readonly<Record<string, (message: string) => string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  CERT_SIGNATURE_FAILURE: unknownAuthority,
  CERT_HAS_EXPIRED: () => "certificate has expired or is not yet valid",
  CERT_NOT_YET_VALID: () => "certificate has expired or is not yet valid",
  ERR_TLS_CERT_ALTNAME_INVALID: (message) => `certificate is not valid for the name: ${message}`,
};
