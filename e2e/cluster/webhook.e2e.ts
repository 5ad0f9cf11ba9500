// The chart of the admission webhook on a real node: three Pods that mount the Secret they issue, asked through their
// Service 20 times a second by the API server, with failurePolicy Fail, from the first certificate to the uninstall.
// Needs what node.e2e.ts needs, buildah, helm.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectedKube, connectKube, type Pod, resources } from "@newleaf/kube";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, clusterAbsence, newleafImage, startCluster } from "../cluster.ts";
import { component } from "../component.ts";
import { run } from "../process.ts";
import { until } from "../until.ts";
import { type Admissions, startAdmissions } from "../webhook/admissions.ts";
import { type Deliveries, watchDeliveries } from "../webhook/deliveries.ts";

const NAMESPACE = "webhook";
const NAME = "newleaf-webhook";
const ROLLOVER = "newleaf.dev/rollover";
const chart = new URL("../../deploy/charts/webhook", import.meta.url).pathname;
const helm = component("NEWLEAF_HELM");
const absence =
  clusterAbsence() ?? (helm && component("NEWLEAF_BUILDAH") ? undefined : "absent: helm or buildah");

describe.skipIf(absence !== undefined)(absence ?? "the webhook on a node", () => {
  let cluster: Cluster;
  let connected: ConnectedKube;
  let admissions: Admissions;
  let deliveries: Deliveries;

  beforeAll(async () => {
    cluster = await startCluster({ images: [await newleafImage()] });
    connected = await connectKube({ kubeconfig: cluster.kubeconfig, rateLimit: false });
  }, 700_000);
  afterAll(async () => {
    await admissions?.[Symbol.asyncDispose]();
    await deliveries?.[Symbol.asyncDispose]();
    await connected?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const runHelm = async (...args: readonly string[]): Promise<string> => {
    const given = ["-u", "HTTPS_PROXY", "-u", "https_proxy", helm ?? "", ...args];
    const kubeconfig = ["--kubeconfig", cluster.kubeconfig, "--namespace", NAMESPACE];
    const { code, stdout, stderr } = await run("env", [...given, ...kubeconfig], { timeoutMs: 180_000 });
    if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const kubectl = (...args: readonly string[]): Promise<string> =>
    cluster.kubectl(["--namespace", NAMESPACE, ...args]);
  const leader = async (except?: string): Promise<string> =>
    until(
      "somebody leads",
      async () => {
        const holder = await kubectl(
          "get", "lease", `${NAME}-leader`, "-o", "jsonpath={.spec.holderIdentity}",
        ); // biome-ignore format: one command line
        return holder !== "" && holder !== except ? holder : undefined;
      },
      40_000,
    );
  const allReady = (): Promise<string> => kubectl("rollout", "status", `deployment/${NAME}`, "--timeout=90s");
  const rollOver = async (): Promise<void> => {
    await kubectl("annotate", "secret", `${NAME}-ca`, `${ROLLOVER}-requested=now`);
    await until(
      "the rollover is over",
      async () => {
        const annotations = await kubectl(
          "get", "secret", `${NAME}-ca`, "-o", "jsonpath={.metadata.annotations}",
        ); // biome-ignore format: one command line
        return !annotations.includes(ROLLOVER);
      },
      60_000,
    );
  };
  /** A renewal that begins from now on has come to every Pod. */
  const renewed = (timeoutMs: number): Promise<boolean> => {
    const { count } = deliveries;
    return until("a renewal", () => deliveries.count > count, timeoutMs);
  };

  test("three Pods become ready from nothing", { timeout: 200_000 }, async () => {
    const since = performance.now();
    await runHelm(
      ...["install", NAME, chart, "--create-namespace", "--wait", "--timeout", "120s"],
      ...["--set", "image.repository=localhost/newleaf,image.tag=1,webhook.failurePolicy=Fail"],
      ...["--set", "certificate.duration=60s,certificate.authorityDuration=1h"],
    );
    console.log(`ready ${((performance.now() - since) / 1_000).toFixed(1)} s after helm install`);
    admissions = startAdmissions({ client: connected.client });
    deliveries = watchDeliveries({ client: connected.client, namespace: NAMESPACE, name: NAME, port: 8443 });
    await until("40 admissions", () => admissions.decided >= 40);
    expect(admissions.failed).toEqual([]);
    expect(await kubectl("get", "lease", NAME, "-o", "yaml")).toMatch(
      /newleaf\.dev\/cert-hash: [0-9a-f]{64}/,
    );
  });

  test("two renewals", { timeout: 150_000 }, async () => {
    await renewed(60_000);
    await renewed(60_000);
    expect(admissions.failed).toEqual([]);
  });

  test("a rollover", { timeout: 100_000 }, async () => {
    await rollOver();
    expect(admissions.failed).toEqual([]);
  });

  test("the leader's Pod is deleted", { timeout: 150_000 }, async () => {
    const old = await leader();
    await kubectl("delete", "pod", old, "--wait=false");
    await leader(old);
    await allReady();
    await rollOver();
    expect(admissions.failed).toEqual([]);
  });

  test("a rollout, and an upgrade that leaves alone what the leader wrote", {
    timeout: 200_000,
  }, async () => {
    const authority = (): Promise<string> =>
      kubectl("get", "secret", `${NAME}-ca`, "-o", "jsonpath={.metadata.uid} {.data}");
    const oldPodsAreGone = (): Promise<boolean> =>
      until("the old Pods are gone", async () => (await pods()).length === 3, 60_000);
    const before = await authority();
    await kubectl("rollout", "restart", `deployment/${NAME}`);
    await allReady();
    await oldPodsAreGone();
    await runHelm("upgrade", NAME, chart, "--reuse-values", "--set", "logLevel=debug", "--wait");
    await oldPodsAreGone();
    expect(await authority()).toBe(before);
    expect(admissions.failed).toEqual([]);
  });

  test("the leader's process is killed", { timeout: 150_000 }, async () => {
    const name = await leader();
    process.kill(processOf(name), "SIGKILL");
    await until("it is back", async () => restartsOf(name, await pods()) > 0, 30_000);
    await allReady();
    await renewed(90_000);
    // Until the node has noticed, connections to it are refused or reset, whatever it serves.
    const lost = admissions.failed.filter((message) =>
      /connection refused|reset by peer|EOF|broken pipe/.test(message),
    );
    console.log(`${lost.length} admissions lost with the process`);
    expect(admissions.failed).toEqual(lost);
    admissions.forget();
  });

  test("every renewal was with every Pod within two seconds", () => {
    for (const { what, delays } of deliveries.all) console.log(`${what}: ${delays.join(", ")} ms`);
    console.log(`${admissions.asked} admissions`);
    expect(Math.max(...deliveries.all.flatMap(({ delays }) => delays))).toBeLessThan(2_000);
  });

  test("an uninstall leaves nothing, and nothing is refused while it goes", {
    timeout: 120_000,
  }, async () => {
    await deliveries[Symbol.asyncDispose]();
    await runHelm("uninstall", NAME, "--wait", "--timeout", "90s");
    await sleep(1_000);
    const failed = [...admissions.failed];
    const kinds = "all,secrets,leases,roles,rolebindings,serviceaccounts,networkpolicies,pdb,endpointslices";
    let left: readonly string[] = [];
    await until(
      "nothing is left",
      async () => {
        const found = (await kubectl("get", kinds, "-o", "name")).split("\n");
        left = found.filter((line) => line !== "" && line !== "serviceaccount/default");
        return left.length === 0;
      },
      40_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${left.join(", ")}`);
    });
    const others = await kubectl(
      "get", "clusterroles,clusterrolebindings,validatingwebhookconfigurations", "-o", "name",
    ); // biome-ignore format: one command line
    expect(others.split("\n").filter((line) => line.includes(NAME))).toEqual([]);
    // Nobody denies any more what the policy denied.
    expect(failed.filter((message) => !message.endsWith(" admitted"))).toEqual([]);
  });

  async function pods(): Promise<readonly Pod[]> {
    const answer = await connected.client.resource(resources.pods, { namespace: NAMESPACE }).list();
    if (!answer.ok) throw new Error(answer.status.message);
    return answer.value.items;
  }
});

function restartsOf(name: string, pods: readonly Pod[]): number {
  const pod = pods.find(({ metadata }) => metadata?.name === name);
  return pod?.status?.containerStatuses?.[0]?.restartCount ?? 0;
}

/** On this machine, of the program in a Pod. */
function processOf(pod: string): number {
  const found = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .find((id) => {
      try {
        return (
          readFileSync(`/proc/${id}/environ`, "utf8").split("\0").includes(`POD_NAME=${pod}`) &&
          readFileSync(`/proc/${id}/cmdline`, "utf8").startsWith("node\0")
        );
      } catch {
        return false; // it ended meanwhile
      }
    });
  if (found === undefined) throw new Error(`no process of ${pod}`);
  return Number(found);
}
