import { KubeError } from "../error.ts";

/** What a request is authenticated with, beside the configuration's own client certificate. */
export interface Credential {
  readonly authorization?: string | undefined;
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined;
}

/** Credentials that may change. A credential that is the same object is the same. */
export interface Credentials {
  current(): Promise<Credential>;
  /** Replaces `refused` unless that has been done; true when there is another one now. */
  renew(refused: Credential): Promise<boolean>;
  close(): Promise<void>;
}

/** The header of a token. Throws ERR_KUBE_CONFIG for what no header can hold, without showing it. */
export function bearer(token: string, where: string): string {
  const trimmed = token.trim();
  if (/^[\x21-\x7e]+$/.test(trimmed)) return `Bearer ${trimmed}`;
  throw new KubeError("ERR_KUBE_CONFIG", `${where}: the token is empty, or not one line of ASCII`);
}
