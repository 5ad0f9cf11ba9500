// AdmissionReviews of the real kube-apiserver: what it makes of each of our answers, and of those that come too late.
// Needs: etcd and kubernetes, kubectl.
import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { createTestAuthority } from "@newleaf/testing";
import { createAdmissionHandler, type ReviewRecord, verdict } from "@newleaf/webhook";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { component } from "../component.ts";
import { type Kubernetes, kubernetesProgram, startKubernetes } from "../kubernetes.ts";
import { run } from "../process.ts";
import { until } from "../until.ts";

const kubectl = component("NEWLEAF_KUBECTL");
const namespace = "admitted";
const timeoutSeconds = 2;
const records: ReviewRecord[] = [];
/** ConfigMaps that are hung on, as long as the API server waits. */
const abandoned: unknown[] = [];

const handler = createAdmissionHandler({
  onReview: (record) => void records.push(record),
  mutate({ object, dryRun }) {
    const after = structuredClone(object ?? {});
    after.metadata = { ...after.metadata, labels: { ...after.metadata?.labels, "dry/run": String(dryRun) } };
    return verdict.mutate({ before: object ?? {}, after }, { warnings: ["first\nline", "w".repeat(400)] });
  },
  async validate({ name }, { signal }) {
    switch (name) {
      case "denied":
        return verdict.deny("it is not to be", { code: 422, reason: "Invalid" });
      case "throws":
        throw new Error("a reason that nobody is to see");
      case "hangs":
        await once(signal, "abort");
        abandoned.push(signal.reason);
        return verdict.allow();
      default:
        return verdict.allow({ auditAnnotations: { rule: "none" } });
    }
  },
});

describe.skipIf(!kubernetesProgram() || !kubectl)("AdmissionReviews of kube-apiserver", () => {
  const authority = createTestAuthority();
  const { chainPem: cert, keyPem: key } = authority.issue();
  const server = https.createServer({ cert, key, minVersion: "TLSv1.3" }, handler);
  let kubernetes: Kubernetes;
  let probes = 0;

  beforeAll(async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    kubernetes = await startKubernetes({ audit: true });
    await kubernetes.kubectl(["create", "namespace", namespace]);
    for (const [kind, path] of [
      ["ValidatingWebhookConfiguration", "validate"],
      ["MutatingWebhookConfiguration", "mutate"],
    ] as const) {
      await configure(kind, `https://127.0.0.1:${port}/${path}`);
    }
    // They are in force a moment after they were made.
    await until("both webhooks are asked", async () => {
      await apply({ name: `probe-${probes++}` });
      return outcomes().includes("mutated") && outcomes().includes("allowed");
    });
    records.length = 0;
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await kubernetes?.[Symbol.asyncDispose]();
  });

  function configure(kind: string, url: string): Promise<string> {
    const webhook = {
      name: `${kind.toLowerCase()}.example.org`,
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      failurePolicy: "Fail",
      timeoutSeconds,
      clientConfig: { url, caBundle: Buffer.from(authority.trustPem).toString("base64") },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"] }],
    };
    const apiVersion = "admissionregistration.k8s.io/v1";
    const metadata = { name: "admission.example.org" };
    return kubernetes.kubectl(
      ["create", "-f", "-"],
      JSON.stringify({ apiVersion, kind, metadata, webhooks: [webhook] }),
    );
  }

  function apply(
    { name, data = {} }: { readonly name: string; readonly data?: Record<string, string> },
    how: readonly string[] = ["create"],
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data };
    const args = ["--kubeconfig", kubernetes.kubeconfig, ...how, "-o", "json", "-f", "-"];
    return run(kubectl ?? "", args, { input: JSON.stringify(object) });
  }

  const outcomes = (): string[] => records.map(({ outcome }) => outcome);

  test("a patch is applied, warnings are shown, and audit annotations are kept", async () => {
    const { code, stdout, stderr } = await apply({ name: "allowed" });
    expect([code, JSON.parse(stdout).metadata.labels]).toEqual([0, { "dry/run": "false" }]);
    expect(stderr).toContain("Warning: first line");
    expect(stderr).toContain(`Warning: ${"w".repeat(256)}\n`);
    const dry = await apply({ name: "dry" }, ["create", "--dry-run=server"]);
    expect(JSON.parse(dry.stdout).metadata.labels).toEqual({ "dry/run": "true" });
    const events = kubernetes.audit().filter(({ objectRef }) => objectRef?.name === "allowed");
    expect(events).toMatchObject([
      { annotations: { "validatingwebhookconfiguration.example.org/rule": "none" } },
    ]);
  });

  test("a denial arrives with its message and its reason", async () => {
    const { code, stderr } = await apply({ name: "denied" });
    expect(code).toBe(1);
    expect(stderr).toContain("denied the request: it is not to be");
  });

  test("an object of almost a megabyte, old and new, is reviewed", async () => {
    const big = { name: "big", data: { value: "v".repeat(900_000) } };
    expect((await apply(big)).code).toBe(0);
    expect((await apply({ ...big, data: { value: "w".repeat(900_000) } }, ["replace"])).code).toBe(0);
  });

  test("a reviewer that throws, or takes too long, is told of in our words, in less time than the API server waits", async () => {
    const thrown = await apply({ name: "throws" });
    expect(thrown.stderr).toContain("the admission webhook failed");
    expect(thrown.stderr).not.toContain("nobody is to see");
    const late = await apply({ name: "hangs" });
    expect(late.stderr).toContain("the admission webhook took too long");
    expect(abandoned).toMatchObject([{ name: "TimeoutError" }]);
    expect(records.at(-1)!.outcome).toBe("timed-out");
  });
});
