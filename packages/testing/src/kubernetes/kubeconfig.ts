import { stringify } from "yaml";
import type { ApiListener } from "./api-listener.ts";

export interface KubeconfigOptions {
  /** `admin` by default. */
  readonly user?: string;
  /** Of the context; `default` when it is left out, as everywhere. */
  readonly namespace?: string;
  /** What the user signs in with: a bearer token, or a client certificate with these groups. */
  readonly credentials?: "token" | "certificate";
  readonly groups?: readonly string[];
}

/** A kubeconfig with one context, everything in it, for kubectl and other clients. It holds a credential. */
export function formatKubeconfig(
  listener: ApiListener,
  token: (user: string) => string,
  options: KubeconfigOptions = {},
): string {
  const { user = "admin", namespace, credentials = "token", groups } = options;
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const signIn = (): Record<string, string> => {
    if (credentials === "token") return { token: token(user) };
    const certificate = listener.clientCertificate(
      user,
      groups ?? (user === "admin" ? ["system:masters"] : []),
    );
    return {
      "client-certificate-data": base64(certificate.chainPem),
      "client-key-data": base64(certificate.keyPem),
    };
  };
  const cluster = { server: listener.url, "certificate-authority-data": base64(listener.caPem) };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster }],
    users: [{ name: user, user: signIn() }],
    contexts: [{ name: "test", context: { cluster: "test", user, ...(namespace ? { namespace } : {}) } }],
    "current-context": "test",
  });
}
