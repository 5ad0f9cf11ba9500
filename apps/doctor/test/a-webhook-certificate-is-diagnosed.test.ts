import { expect, test } from "vitest";
import {
  ACCOUNT,
  CONFIGURATIONS,
  createWebhookStory,
  LEASES,
  NAME,
  NAMES,
  NAMESPACE,
  type WebhookStory,
} from "./webhook-story.ts";

const HOUR = 3_600_000;

/** A leader, two replicas that have loaded what it announced, and all rules. */
async function wellStory(
  without: Parameters<WebhookStory["allow"]>[0] = {},
  writtenAgoMs = 0,
): Promise<WebhookStory> {
  const story = await createWebhookStory();
  story.allow(without);
  // The times in managedFields are of the API server's clock.
  story.api.faults.skewMs = -writtenAgoMs;
  await story.lead();
  for (const name of ["shop-0", "shop-1"]) {
    story.pod(name);
    story.acknowledge(name);
  }
  return story;
}

const codes = async (story: WebhookStory, argv?: readonly string[]): Promise<string[]> =>
  (await story.doctor(argv)).report.diagnoses.map(({ code }) => code);

test("a webhook that is well: exit code 0, and no word but the table's", async () => {
  await using story = await wellStory();
  const { code, report } = await story.doctor();
  expect(report).toMatchObject({
    ok: true,
    targets: [{ target: `webhook ${NAMESPACE}/${NAME}`, verdict: "well", stored: {}, served: {} }],
    diagnoses: [],
  });
  expect(code).toBe(0);
});

test("nobody stands for election: no certificate has ever been issued, because no Pod matches", async () => {
  await using story = await createWebhookStory();
  const { code, report } = await story.doctor();
  expect(code).toBe(1);
  expect(report.diagnoses).toContainEqual(
    expect.objectContaining({
      code: "certificates_never_issued",
      message: expect.stringMatching(
        /nobody has ever been elected.*no Pod matches app\.kubernetes\.io\/name=shop-webhook/,
      ),
      command: `kubectl get deployments -n shop -l app.kubernetes.io/name=shop-webhook`,
    }),
  );
  expect(report.diagnoses.map((it) => it.code)).toContain("no_replica_ready");
});

test("candidates run and may not take the Lease: the rule is named", async () => {
  await using story = await createWebhookStory();
  story.allow({ name: `${NAME}-leader` });
  story.pod("shop-0", { status: { conditions: [] } });
  const { report } = await story.doctor();
  const issued = report.diagnoses.find(({ code }) => code === "certificates_never_issued");
  expect(issued?.message).toMatch(/get,update leases\.coordination\.k8s\.io\/shop-webhook-leader in shop/);
  expect(issued?.command).toBe(
    `kubectl auth can-i get leases.coordination.k8s.io/shop-webhook-leader --as=${ACCOUNT} -n shop`,
  );
});

test("a leader whose caBundle patch is refused: the first issue waits for it", async () => {
  await using story = await createWebhookStory();
  story.allow({ resource: "validatingwebhookconfigurations", verb: "patch" });
  story.api.faults.add({
    ...{ kind: "status", code: 403, reason: "Forbidden" },
    ...{ verbs: ["patch"], resources: ["validatingwebhookconfigurations"] },
  });
  story.pod("shop-0", { status: { conditions: [] } });
  await story.lead(({ doing }) => doing === "published");
  const { report } = await story.doctor();
  expect(report.diagnoses).toContainEqual(
    expect.objectContaining({
      code: "certificates_never_issued",
      message: expect.stringContaining("ValidatingWebhookConfiguration/shop-webhook (shop.example.com)"),
    }),
  );
  expect(report.diagnoses).toContainEqual(
    expect.objectContaining({
      code: "rbac_missing",
      message: expect.stringContaining("patch validatingwebhookconfigurations"),
    }),
  );
});

test("exit code 1 after --cert-timeout in a crash loop is told from other crashes", async () => {
  await using story = await createWebhookStory();
  const crash = (ranMs: number) => {
    const at = Date.now() - 5_000;
    const terminated = {
      exitCode: 1,
      startedAt: new Date(at - ranMs).toISOString(),
      finishedAt: new Date(at).toISOString(),
    };
    const waiting = { reason: "CrashLoopBackOff" };
    const status = { name: "webhook", restartCount: 3, state: { waiting }, lastState: { terminated } };
    return { status: { conditions: [], containerStatuses: [status] } };
  };
  story.pod("shop-0", crash(181_000));
  story.pod("shop-1", crash(2_000));
  const { report } = await story.doctor();
  expect(report.diagnoses.find(({ code }) => code === "cert_timeout")?.message).toMatch(
    /shop-0 exits with code 1 after 3m \(3 restarts\)/,
  );
  expect(report.diagnoses.find(({ code }) => code === "replica_crashes")?.message).toMatch(/shop-1/);
});

test("replicas may not watch the Lease: they learn of no renewal", async () => {
  await using story = await wellStory({ resource: "leases", name: NAME, verb: "watch" });
  const { report } = await story.doctor();
  expect(report.diagnoses).toMatchObject([
    {
      code: "lease_watch_failing",
      message: expect.stringMatching(/may not watch leases.*stored is good until \d{4}/),
      command: `kubectl auth can-i watch leases.coordination.k8s.io/${NAME} --as=${ACCOUNT} -n shop`,
    },
  ]);
});

test("a replica that has not even noticed: the network, with the policies that limit it", async () => {
  await using story = await wellStory({}, HOUR);
  story.acknowledge("shop-1", { [NAMES.acknowledgedCertHash]: "0".repeat(64) });
  story.api.store.create("networkpolicies.networking.k8s.io", {
    metadata: { name: "deny-egress", namespace: NAMESPACE },
    spec: { podSelector: {}, policyTypes: ["Egress"] },
  });
  const { report } = await story.doctor();
  expect(report.diagnoses).toMatchObject([
    { code: "lease_watch_failing", message: expect.stringMatching(/shop-1 has not noticed.*deny-egress/) },
  ]);
});

test("a replica that waits for its kubelet: how long, and that a subPath never comes", async () => {
  await using story = await wellStory({}, HOUR);
  const expected = story.api.store.get(LEASES, NAMESPACE, NAME)?.metadata.annotations?.[NAMES.certHash] ?? "";
  const waiting = {
    [NAMES.acknowledgedCertHash]: "0".repeat(64),
    [NAMES.expectedCertHash]: expected,
    [NAMES.syncAttempt]: "4",
  };
  story.acknowledge("shop-1", waiting);
  story.pod("shop-2", {
    spec: {
      containers: [
        {
          name: "webhook",
          image: "newleaf",
          volumeMounts: [{ name: "certs", mountPath: "/etc/tls.crt", subPath: "tls.crt" }],
        },
      ],
    },
  });
  story.acknowledge("shop-2", waiting);
  story.pod("shop-3", {
    spec: { containers: [{ name: "webhook", image: "newleaf" }], volumes: [] },
  });
  story.acknowledge("shop-3", waiting);
  const { report } = await story.doctor();
  expect(report.diagnoses).toMatchObject([
    {
      code: "hash_mismatch_persists",
      severity: "wrong",
      message: expect.stringMatching(/shop-1 on node-1 .* asked the kubelet 4 more times.*has not written/),
      command: "kubectl delete pod shop-1 -n shop",
    },
    { code: "hash_mismatch_persists", severity: "wrong", message: expect.stringMatching(/shop-2.*subPath/) },
    { code: "hash_mismatch_persists", message: expect.stringMatching(/shop-3.*does not mount/) },
  ]);
});

test("a node whose kubelet has gone is the cause, where nodes may be read", async () => {
  await using story = await wellStory();
  const node = story.api.store.create("nodes", { metadata: { name: "node-1" } });
  story.api.store.update(
    "nodes",
    { ...node, status: { conditions: [{ type: "Ready", status: "Unknown" }] } } as never,
    "status",
  );
  const lease = story.api.store.get(LEASES, NAMESPACE, NAME);
  story.acknowledge("shop-0", {
    [NAMES.expectedCertHash]: lease?.metadata.annotations?.[NAMES.certHash] ?? "",
  });
  const { report } = await story.doctor();
  expect(report.diagnoses[0]).toMatchObject({
    code: "hash_mismatch_persists",
    command: "kubectl describe node node-1",
  });
});

test("the Secret edited by hand: by whom, and that no kubelet can bring what is announced", async () => {
  await using story = await wellStory();
  await story.stopLeading();
  await editSecret(story, "kubectl-edit", { "tls.crt": btoa("-----BEGIN NOTHING-----\n") });
  const { report } = await story.doctor();
  expect(report.diagnoses).toContainEqual(
    expect.objectContaining({
      code: "stored_unusable",
      message: expect.stringMatching(/tls\.crt holds no certificate.*kubectl-edit/),
    }),
  );
  expect(report.diagnoses.map(({ code }) => code)).toContain("no_leader");
});

test("the Lease announces what the Secret does not hold", async () => {
  await using story = await wellStory();
  await story.stopLeading();
  story.change(LEASES, NAMESPACE, NAME, (lease: { metadata: { annotations: object } }) => ({
    ...lease,
    metadata: {
      ...lease.metadata,
      annotations: { ...lease.metadata.annotations, [NAMES.certHash]: "1".repeat(64) },
    },
  }));
  expect(await codes(story)).toEqual(expect.arrayContaining(["no_leader", "announced_not_stored"]));
});

test("the Secret is gone and nobody leads: until when what is served stays good is not known", async () => {
  await using story = await wellStory();
  await story.stopLeading();
  story.api.store.delete("secrets", NAMESPACE, NAME);
  expect(await codes(story)).toEqual(expect.arrayContaining(["no_leader", "serving_secret_missing"]));
});

test("a caBundle that is wiped, and one that another keeps", async () => {
  await using story = await wellStory();
  await story.stopLeading();
  setBundle(story, "");
  const wiped = await story.doctor();
  expect(wiped.report.diagnoses).toContainEqual(
    expect.objectContaining({
      code: "ca_bundle_lacks_authority",
      message: expect.stringMatching(/is empty, whose CA.*failurePolicy Fail/),
    }),
  );
  story.change(CONFIGURATIONS, undefined, NAME, (it: { metadata: object }) => ({
    ...it,
    metadata: { ...it.metadata, annotations: { "cert-manager.io/inject-ca-from": "shop/other" } },
  }));
  const contested = await story.doctor();
  expect(contested.report.diagnoses).toContainEqual(
    expect.objectContaining({
      code: "ca_bundle_contested",
      command: `kubectl annotate ValidatingWebhookConfiguration ${NAME} cert-manager.io/inject-ca-from-`,
    }),
  );
});

test("a rollover that waits for a replica names it", async () => {
  await using story = await wellStory();
  story.change("secrets", NAMESPACE, `${NAME}-ca`, (secret: { metadata: { annotations: object } }) => ({
    ...secret,
    metadata: {
      ...secret.metadata,
      annotations: { ...secret.metadata.annotations, [NAMES.rolloverRequested]: "now" },
    },
  }));
  await expect
    .poll(async () => (await story.doctor()).report.diagnoses)
    .toContainEqual(
      expect.objectContaining({
        code: "rollover_waiting",
        severity: "note",
        message: expect.stringMatching(/\(requested\).*next CA.*waits for shop-0, shop-1/),
      }),
    );
});

test("somebody without rights gets notes of what could not be asked, and no key is ever shown", async () => {
  await using story = await wellStory();
  const { code, report, text } = await story.doctor([], "somebody");
  expect(code).toBe(0);
  expect(report.diagnoses).toMatchObject([
    { code: "not_asked", severity: "note", message: expect.stringMatching(/Secret shop-webhook \(/) },
  ]);
  const all = `${text}${(await story.doctor()).text}`;
  const secrets = ["", "-ca"].map((suffix) => story.api.store.get("secrets", NAMESPACE, `${NAME}${suffix}`));
  for (const secret of secrets) {
    const { data } = secret as unknown as { data: Record<string, string> };
    const key = Buffer.from(data["tls.key"] ?? data["ca.key"] ?? "", "base64").toString();
    expect(key).toContain("PRIVATE KEY");
    expect(all).not.toContain(key.split("\n")[1]);
  }
});

test("a replica's own account may ask for itself", async () => {
  await using story = await wellStory({ resource: "pods", verb: "patch" });
  const { report } = await story.doctor([], ACCOUNT);
  expect(report.diagnoses).toContainEqual(
    expect.objectContaining({ code: "rbac_missing", message: expect.stringContaining("patch pods") }),
  );
});

test("an API server that cannot be reached is that, and nothing else", async () => {
  await using story = await createWebhookStory();
  await using gone = await createWebhookStory();
  const other = gone.api.kubeconfig();
  await gone[Symbol.asyncDispose]();
  story.api.kubeconfig = () => other;
  const { code, report } = await story.doctor();
  expect(code).toBe(1);
  expect(report.diagnoses).toMatchObject([{ code: "api_server_unreachable", certificates: false }]);
});

async function editSecret(story: WebhookStory, manager: string, data: object): Promise<void> {
  const body = JSON.stringify({ data });
  const answer = await story.api.handle({
    method: "PATCH",
    path: `/api/v1/namespaces/${NAMESPACE}/secrets/${NAME}?fieldManager=${manager}`,
    headers: {
      authorization: `Bearer ${story.api.token("admin")}`,
      "content-type": "application/merge-patch+json",
    },
    body,
    signal: AbortSignal.timeout(5_000),
  });
  expect(answer.status).toBe(200);
}

function setBundle(story: WebhookStory, caBundle: string): void {
  story.change(CONFIGURATIONS, undefined, NAME, (it: { webhooks: { clientConfig: object }[] }) => ({
    ...it,
    webhooks: it.webhooks.map((webhook) => ({
      ...webhook,
      clientConfig: { ...webhook.clientConfig, caBundle },
    })),
  }));
}
