/** A kubeconfig that names files for certificates, or holds a token. */
export function kubeconfigText(
  server: string,
  caFile: string,
  user: { readonly certFile: string; readonly keyFile: string } | { readonly token: string },
): string {
  const credential =
    "token" in user
      ? { token: user.token }
      : { "client-certificate": user.certFile, "client-key": user.keyFile };
  // JSON is YAML.
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "e2e", cluster: { server, "certificate-authority": caFile } }],
    users: [{ name: "user", user: credential }],
    contexts: [{ name: "e2e", context: { cluster: "e2e", user: "user" } }],
    "current-context": "e2e",
  });
}
