/** A Deployment that mounts a TLS Secret: whole, or as one file, which is never updated. */
export function deployment(
  name: string,
  of: { readonly subPath?: string; readonly tokenSeconds?: number } = {},
): object {
  const token = {
    name: "token",
    projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: of.tokenSeconds } }] },
  };
  const mount = { name: "tls", mountPath: "/etc/tls", ...(of.subPath && { subPath: of.subPath }) };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "shop" },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          securityContext: { fsGroup: 1000 },
          containers: [{ name: "web", image: "example.com/web:1", volumeMounts: [mount] }],
          volumes: [
            { name: "tls", secret: { secretName: "web-tls" } },
            ...(of.tokenSeconds === undefined ? [] : [token]),
          ],
        },
      },
    },
  };
}
