import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOpensslAuthority } from "../openssl-authority.ts";

/** Objects of a small application of two Pods, which tells what is in its mounted Secret and refuses every ConfigMap. */
export interface EchoApp {
  secret(value: string): object;
  readonly deployment: object;
  readonly service: object;
  readonly webhook: object;
}

/** 8080: its name and the Secret's `value`, as JSON. 8443: an admission webhook that refuses. */
const program = `
const { readFileSync } = require("node:fs");
const { hostname } = require("node:os");
const file = (name) => readFileSync("/etc/echo/" + name, "utf8");
require("node:http")
  .createServer((request, response) => response.end(JSON.stringify({ pod: hostname(), value: file("value") })))
  .listen(8080, () => console.log("listening"));
require("node:https")
  .createServer({ cert: file("tls.crt"), key: file("tls.key") }, async (request, response) => {
    const review = JSON.parse(Buffer.concat(await request.toArray()));
    const status = { message: "refused by " + hostname() };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...review, response: { uid: review.request.uid, allowed: false, status } }));
  })
  .listen(8443);
process.on("SIGTERM", () => process.exit());
`;

export function createEchoApp(): EchoApp {
  const { certificate, key, authority } = servingCertificate("echo.default.svc");
  const labels = { app: "echo" };
  return {
    secret: (value) => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "echo", namespace: "default" },
      stringData: { value, "tls.crt": certificate, "tls.key": key },
    }),
    deployment: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "echo", namespace: "default" },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            volumes: [{ name: "secret", secret: { secretName: "echo" } }],
            containers: [
              {
                name: "echo",
                image: "localhost/node:1",
                command: ["node", "-e", program],
                volumeMounts: [{ name: "secret", mountPath: "/etc/echo", readOnly: true }],
                readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    },
    service: {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "echo", namespace: "default" },
      spec: {
        selector: labels,
        ports: [
          { name: "http", port: 8080 },
          { name: "https", port: 443, targetPort: 8443 },
        ],
      },
    },
    webhook: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "echo" },
      webhooks: [
        {
          name: "echo.newleaf.example",
          clientConfig: {
            service: { name: "echo", namespace: "default" },
            caBundle: Buffer.from(authority).toString("base64"),
          },
          rules: [
            { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] },
          ],
          // Controllers write ConfigMaps to new namespaces.
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } },
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          timeoutSeconds: 5,
        },
      ],
    },
  };
}

/** A Pod of our own image that runs once, under what the restricted Pod security standard asks, and more. */
export function hardenedPod(name: string, args: readonly string[]): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 12_345, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name,
          image: "localhost/newleaf:1",
          args,
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  };
}

function servingCertificate(name: string): { certificate: string; key: string; authority: string } {
  const directory = mkdtempSync(join(tmpdir(), "newleaf-echo-"));
  try {
    const authority = createOpensslAuthority(join(directory, "ca"), "echo");
    const served = join(directory, "served");
    authority.issue(served, { name, san: `DNS:${name}`, usage: "serverAuth" });
    const text = (file: string): string => readFileSync(join(served, file), "utf8");
    return { certificate: text("tls.crt"), key: text("tls.key"), authority: text("ca.crt") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
