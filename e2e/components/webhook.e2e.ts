// Three `newleaf webhook` with the rights of deploy/manifests/webhook.yaml and no others, all of them asked by the real
// kube-apiserver 20 times a second through issue, renewals, a rollover, killed leaders, lost objects and a restart of the
// API server. Their Pods have no node: what they mount is written by a stand-in for kubelet.
// Needs: etcd and kubernetes, kubectl. NEWLEAF_E2E_SECONDS is how long renewals go on, for 30 of them at least.
import { setTimeout as sleep } from "node:timers/promises";
import { resources } from "@newleaf/kube";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { component } from "../component.ts";
import type { AuditEvent } from "../kubernetes/audit-log.ts";
import { type Kubernetes, kubernetesProgram, startKubernetes } from "../kubernetes.ts";
import { until } from "../until.ts";
import { type Admissions, startAdmissions } from "../webhook/admissions.ts";
import { callOf, type GrantedRules, grantsOf, isGrantedBy } from "../webhook/api-calls.ts";
import {
  ACCOUNT,
  type InstalledWebhook,
  installWebhook,
  NAME,
  NAMESPACE,
} from "../webhook/installed-webhook.ts";
import type { Replica } from "../webhook/replica.ts";
import { leafOf } from "../webhook/served-leaf.ts";

const seconds = Number(process.env.NEWLEAF_E2E_SECONDS ?? 0);
/** Long enough to be without a leader for a while, short enough to see a renewal. */
const args = argumentsFor("24s");
const ROLLOVER = "newleaf.dev/rollover";

describe.skipIf(!kubernetesProgram() || !component("NEWLEAF_KUBECTL"))("newleaf webhook", () => {
  let kubernetes: Kubernetes;
  let webhook: InstalledWebhook;
  let admissions: Admissions;
  /** Wall clock: when less was granted than is shipped. */
  const deprived: { readonly from: number; readonly to: number }[] = [];

  beforeAll(async () => {
    kubernetes = await startKubernetes({ audit: true });
    webhook = await installWebhook(kubernetes);
    let admitted = 0;
    admissions = startAdmissions({
      client: webhook.admin,
      async between() {
        // Half of them are asked over a connection from before.
        admitted += 1;
        if (admitted % 2 === 0) await webhook.cutConnections();
      },
    });
  });
  afterAll(async () => {
    await admissions?.[Symbol.asyncDispose]();
    await webhook?.[Symbol.asyncDispose]();
    await kubernetes?.[Symbol.asyncDispose]();
  });

  const storedLeaf = async (): Promise<string> => {
    const { data } = (await webhook.secret()) ?? {};
    return leafOf(Buffer.from(data?.["tls.crt"] ?? "", "base64").toString());
  };
  const everybodyServes = async (except: string): Promise<string | undefined> => {
    const stored = await storedLeaf();
    const served = await Promise.all(webhook.replicas.map((replica) => replica.leaf()));
    return stored !== except && served.every((leaf) => leaf === stored) ? stored : undefined;
  };
  /** SIGKILL between two admissions: one that is under way is lost with the process, whatever it serves with. */
  const kill = (replica: Replica): Promise<void> => admissions.pause(() => replica.kill());
  const authorityNote = async (): Promise<Record<string, string> | undefined> => {
    const note = (await webhook.secret(`${NAME}-ca`))?.metadata?.annotations?.[ROLLOVER];
    return note === undefined ? undefined : JSON.parse(note);
  };
  const requestRollover = async (): Promise<void> => {
    const secrets = webhook.admin.resource(resources.secrets, { namespace: NAMESPACE });
    const body = { metadata: { annotations: { [`${ROLLOVER}-requested`]: "now" } } };
    expect(await secrets.patch(`${NAME}-ca`, { type: "merge", body })).toMatchObject({ ok: true });
  };
  const isRolledOver = async (): Promise<boolean> => {
    const annotations = (await webhook.secret(`${NAME}-ca`))?.metadata?.annotations ?? {};
    return !(ROLLOVER in annotations) && !(`${ROLLOVER}-requested` in annotations);
  };
  const callsSince = (since: number): AuditEvent[] =>
    kubernetes.audit().filter(({ user, requestReceivedTimestamp }) => {
      return user.username === ACCOUNT && Date.parse(requestReceivedTimestamp) >= since;
    });

  test("a first certificate from nothing, its leader killed as soon as there is an authority", async () => {
    // The chart brings the objects empty; here there are none at all.
    await kubernetes.kubectl(["delete", "secret,lease", "--all", "--namespace", NAMESPACE]);
    for (const replica of webhook.replicas) replica.start(args);
    await until("an authority", () => webhook.secret(`${NAME}-ca`));
    const first = await webhook.leader();
    await first.kill();
    first.start(args);
    await Promise.all(webhook.replicas.map((replica) => replica.ready()));
    await until("an admission is decided", () => admissions.decided > 0);
    // Who asked before there was a certificate could only be refused; from the first decision on nobody is.
    admissions.forget();
    const decided = admissions.decided;
    await until("20 admissions", () => admissions.decided >= decided + 20);
    expect(admissions.failed).toEqual([]);
    const lease = await kubernetes.kubectl(["get", "lease", NAME, "--namespace", NAMESPACE, "-o", "yaml"]);
    expect(lease).toMatch(/newleaf\.dev\/cert-ready: "true"/);
    expect(lease).toMatch(/newleaf\.dev\/cert-hash: [0-9a-f]{64}/);
    expect(lease).toMatch(/newleaf\.dev\/cert-valid-until: "20\d\d-/);
  });

  test("a leader killed as soon as it has written a renewal is followed by another", async () => {
    const [before, leader] = [await storedLeaf(), await webhook.leader()];
    await until("a renewal is stored", async () => (await storedLeaf()) !== before, 30_000);
    await kill(leader);
    const next = await webhook.leader(leader);
    leader.start(args);
    await leader.ready();
    await until("everybody serves the renewal", () => everybodyServes(before));
    expect(next.name).not.toBe(leader.name);
    expect(admissions.failed).toEqual([]);
  });

  test("a rollover in which the leader is killed at the start, at the switch and at the drop", async () => {
    const [before] = await webhook.caBundles();
    await requestRollover();
    const leaders: string[] = [];
    for (const step of ["startedAt", "switchedAt", "droppedAt"]) {
      const leader = await webhook.leader();
      await until(`the rollover has ${step}`, async () => step in ((await authorityNote()) ?? {}), 30_000);
      await kill(leader);
      leaders.push(leader.name, (await webhook.leader(leader)).name);
      leader.start(args);
    }
    await until("the rollover is over", isRolledOver, 30_000);
    console.log(`led by ${leaders.join(", ")}`);
    const old = Buffer.from(before ?? "", "base64").toString();
    for (const bundle of await webhook.caBundles()) {
      expect(Buffer.from(bundle ?? "", "base64").toString()).not.toContain(old);
    }
    expect(admissions.failed).toEqual([]);
  });

  test("deleted Leases, a deleted serving Secret, then a deleted CA Secret", async () => {
    const leases = webhook.admin.resource(resources.leases, { namespace: NAMESPACE });
    const secrets = webhook.admin.resource(resources.secrets, { namespace: NAMESPACE });
    await leases.delete(`${NAME}-leader`);
    await leases.delete(NAME);
    await until("it is announced again", () => webhook.lease(), 10_000);
    await webhook.leader();
    const before = await storedLeaf();
    await secrets.delete(NAME);
    await until("everybody serves another certificate", () => everybodyServes(before), 10_000);
    await secrets.delete(`${NAME}-ca`);
    await until("another authority", async () => (await authorityNote()) !== undefined, 10_000);
    await until("the rollover is over", isRolledOver, 30_000);
    expect(admissions.failed).toEqual([]);
  });

  test("wiped caBundles are back within two seconds, and refusals end with them", async () => {
    const configurations = webhook.admin.resource(resources.validatingWebhookConfigurations);
    const wiped = webhook.replicas.map((_, index) => ({
      op: "remove" as const,
      path: `/webhooks/${index}/clientConfig/caBundle`,
    }));
    const since = performance.now();
    expect(await configurations.patch(NAME, { type: "json", body: wiped })).toMatchObject({ ok: true });
    await until("they are back", async () => (await webhook.caBundles()).every(Boolean), 2_000);
    const repairedMs = performance.now() - since;
    // The API server notices it by its own watch.
    await until("it is asked again", async () => {
      const { decided } = admissions;
      await sleep(100);
      return admissions.decided > decided;
    });
    const refused = admissions.failed.length;
    console.log(`caBundles back after ${repairedMs.toFixed(0)} ms, ${refused} admissions refused meanwhile`);
    expect(admissions.failed.every((message) => message.includes("failed calling webhook"))).toBe(true);
    admissions.forget();
    await sleep(1_000);
    expect(admissions.failed).toEqual([]);
  });

  test("a restart of the API server, and a rollover after it", async () => {
    const from = Date.now();
    await kubernetes.restart();
    // A server that starts refuses for reasons of its own.
    expect(admissions.failed.filter((message) => message.includes("failed calling webhook"))).toEqual([]);
    await until("admissions are decided", async () => {
      admissions.forget();
      const { decided } = admissions;
      await sleep(500);
      return admissions.failed.length === 0 && admissions.decided > decided;
    });
    // Until an API server has read its own rules again, it forbids everything.
    deprived.push({ from, to: Date.now() });
    await requestRollover();
    await until("the rollover is over", isRolledOver, 30_000);
    expect(admissions.failed).toEqual([]);
  });

  test("idle, followers make no calls and the leader none but those of the election", async () => {
    const before = await storedLeaf();
    await until("a renewal", () => everybodyServes(before), 30_000);
    // Acknowledged, and the Pods looked at.
    await sleep(1_500);
    const since = Date.now();
    await sleep(8_000);
    const calls = callsSince(since).map(callOf);
    const election = new Set([`get leases/${NAME}-leader`, `update leases/${NAME}-leader`]);
    const count = (call: string): number => calls.filter((one) => one === call).length;
    console.log(`in 8 s: ${[...election].map((call) => `${count(call)} times ${call}`).join(", ")}`);
    expect(calls.filter((call) => !election.has(call))).toEqual([]);
  });

  test.each([
    ["patch", "secrets", `${NAME}-ca`],
    ["patch", "leases", NAME],
  ])(
    "without %s of %s %s no rollover comes to its end",
    { timeout: 90_000 },
    async (verb, resource, name) => {
      const since = Date.now();
      const giveBack = await take(verb, resource, name);
      await requestRollover();
      await until(
        "it is forbidden",
        () =>
          callsSince(since).some((event) => {
            return event.responseStatus?.code === 403 && callOf(event) === `${verb} ${resource}/${name}`;
          }),
        10_000,
      );
      await sleep(500);
      expect(await isRolledOver()).toBe(false);
      await giveBack();
      await until("the rollover is over", isRolledOver, 30_000);
      deprived.push({ from: since, to: Date.now() });
      expect(admissions.failed).toEqual([]);
    },
  );

  test("thirty renewals", { timeout: 200_000 + seconds * 1_000 }, async () => {
    // Restarted one by one, as a rollout does it.
    for (const replica of webhook.replicas) {
      await admissions.pause(() => replica.stop());
      replica.start(argumentsFor("4s"));
      await replica.ready();
    }
    const started = performance.now();
    const end = started + seconds * 1_000;
    const seen = new Set<string>();
    const { asked } = admissions;
    while (seen.size <= 30 || performance.now() < end) {
      const served = await until("a renewal", () => everybodyServes([...seen].at(-1) ?? ""), 25_000);
      seen.add(served);
      expect(admissions.failed).toEqual([]);
    }
    const rate = ((admissions.asked - asked) * 1_000) / (performance.now() - started);
    console.log(`${seen.size - 1} renewals, ${rate.toFixed(1)} admissions a second`);
    expect(admissions.failed).toEqual([]);
  });

  test("nothing was forbidden, and of what RBAC grants everything was used", async () => {
    const granted: string[] = [];
    for (const kind of ["role", "clusterrole"]) {
      const role = await kubernetes.kubectl(["get", kind, NAME, "--namespace", NAMESPACE, "-o", "json"]);
      granted.push(...grantsOf(JSON.parse(role) as GrantedRules));
    }
    const calls = callsSince(0);
    const forbidden = calls.filter(({ responseStatus, requestReceivedTimestamp }) => {
      const at = Date.parse(requestReceivedTimestamp);
      return responseStatus?.code === 403 && !deprived.some(({ from, to }) => at >= from && at <= to);
    });
    expect(forbidden.map(callOf)).toEqual([]);
    const used = [...new Set(calls.map(callOf))].filter((call) => !call.includes("selfsubjectaccessreviews"));
    console.log(`${calls.length} calls: ${used.sort().join(", ")}`);
    expect(granted.filter((grant) => !used.some((call) => isGrantedBy(call, grant)))).toEqual([]);
    expect(used.filter((call) => !granted.some((grant) => isGrantedBy(call, grant)))).toEqual([]);
  });

  /** Takes one verb on one object out of the Role; resolves with what gives it back. */
  async function take(verb: string, resource: string, name: string): Promise<() => Promise<unknown>> {
    const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/roles/${NAME}`;
    const role = await kubernetes.administrator.request<GrantedRules>("GET", path);
    const rules = role.rules.flatMap((rule) => {
      const { resources: of, resourceNames: names = [], verbs } = rule;
      if (!of.includes(resource) || !names.includes(name) || !verbs.includes(verb)) return [rule];
      const others = names.filter((one) => one !== name);
      const left = verbs.filter((one) => one !== verb);
      return [
        { ...rule, resourceNames: [name], verbs: left },
        // Without any names it would be all of them.
        ...(others.length > 0 ? [{ ...rule, resourceNames: others }] : []),
      ];
    });
    const write = (granted: GrantedRules["rules"]): Promise<unknown> => {
      const patch = [{ op: "replace", path: "/rules", value: granted }];
      const type = ["--type", "json", "--patch", JSON.stringify(patch)];
      return kubernetes.kubectl(["patch", "role", NAME, "--namespace", NAMESPACE, ...type]);
    };
    await write(rules);
    return () => write(role.rules);
  }
});

function argumentsFor(certificateDuration: string): string[] {
  return [
    ...["--certificate-duration", certificateDuration, "--authority-duration", "1h", "--settle", "1s"],
    ...["--lease-duration", "3s", "--renew-deadline", "2s", "--retry-period", "400ms"],
  ];
}
