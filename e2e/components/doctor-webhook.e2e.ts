// `newleaf doctor --webhook` asks a real kube-apiserver about three `newleaf webhook`: in order, without a leader, with a
// Secret edited by hand and a caBundle that another has written, whose managedFields only a real one keeps like that.
// Needs: etcd and kubernetes, kubectl.
import { createTestAuthority } from "@newleaf/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { component } from "../component.ts";
import { type Kubernetes, kubernetesProgram, startKubernetes } from "../kubernetes.ts";
import { startNewleaf } from "../process.ts";
import { until } from "../until.ts";
import { type InstalledWebhook, installWebhook, NAME, NAMESPACE } from "../webhook/installed-webhook.ts";

interface Diagnosis {
  readonly code: string;
  readonly severity: string;
  readonly message: string;
}

describe.skipIf(!kubernetesProgram() || !component("NEWLEAF_KUBECTL"))("newleaf doctor --webhook", () => {
  let kubernetes: Kubernetes;
  let webhook: InstalledWebhook;

  beforeAll(async () => {
    kubernetes = await startKubernetes();
    webhook = await installWebhook(kubernetes);
  });
  afterAll(async () => {
    await webhook?.[Symbol.asyncDispose]();
    await kubernetes?.[Symbol.asyncDispose]();
  });

  /** But what follows from stand-ins: their Pods run as nobody who has rights, have no readiness and mount nothing. */
  const doctor = async (): Promise<readonly Diagnosis[]> => {
    await using process = startNewleaf([
      ...["doctor", "--webhook", NAME, "--namespace", NAMESPACE, "--json", "--timeout", "3s"],
      ...["--kubeconfig", kubernetes.kubeconfig],
    ]);
    await process.exit(20_000);
    const { diagnoses } = JSON.parse(process.lines.join("\n")) as { diagnoses: readonly Diagnosis[] };
    const ofStandIns = ["rbac_missing", "lease_watch_failing", "no_replica_ready"];
    return diagnoses.filter(({ code }) => !ofStandIns.includes(code));
  };
  const codes = async (): Promise<readonly string[]> => (await doctor()).map(({ code }) => code);

  test("in order: nothing to say", async () => {
    expect(await codes()).toEqual(["certificates_never_issued"]);
    for (const replica of webhook.replicas) {
      replica.start([
        "--settle",
        "1s",
        "--lease-duration",
        "3s",
        "--renew-deadline",
        "2s",
        "--retry-period",
        "400ms",
      ]);
    }
    await Promise.all(webhook.replicas.map((replica) => replica.ready()));
    await until("nothing to say", async () => (await codes()).length === 0, 30_000);
  });

  test("without a leader, a Secret edited by hand and a foreign caBundle, each with its writer", async () => {
    await Promise.all(webhook.replicas.map((replica) => replica.stop()));
    expect(await codes()).toEqual(["no_leader"]);
    const data = JSON.stringify({ data: { "tls.crt": Buffer.from("nothing").toString("base64") } });
    await kubernetes.kubectl(["patch", "secret", NAME, "-n", NAMESPACE, "--type=merge", "-p", data]);
    const value = Buffer.from(createTestAuthority().trustPem).toString("base64");
    const patch = JSON.stringify([{ op: "replace", path: "/webhooks/0/clientConfig/caBundle", value }]);
    await kubernetes.kubectl([
      ...["patch", "validatingwebhookconfiguration", NAME, "--type=json", "-p", patch],
      "--field-manager=some-controller",
    ]);
    const found = await doctor();
    expect(found).toContainEqual(
      expect.objectContaining({ code: "stored_unusable", message: expect.stringMatching(/kubectl-patch/) }),
    );
    expect(found.find(({ code }) => code === "ca_bundle_contested")?.message).toMatch(
      /replica-0.*last written by some-controller/,
    );
  });
});
