import type { Logger } from "@newleaf/kube";
import type { KubernetesApi } from "@newleaf/testing";
import { DNS_NAME, NAME, NAMESPACE, type Plan, POD_LABELS, SECOND, TARGETS } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import { createSimulatedKubelet, type SimulatedKubelet } from "./simulated-kubelet.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";
import { createSimulatedProcess } from "./simulated-process.ts";
import { type SimulatedReplica, startSimulatedReplica } from "./simulated-replica.ts";
import type { Trace } from "./trace.ts";

export interface SimulatedPod {
  readonly name: string;
  readonly kubelet: SimulatedKubelet;
  /** Of its node's wall clock. */
  skewMs: number;
  /** The life of its container that runs now. */
  replica: SimulatedReplica | undefined;
  /** On its way out: nobody calls it any more. */
  ending: boolean;
  /** The API server has been told that it runs. */
  reported: boolean;
}

/** The Pods of the webhook, and what becomes of them. */
export interface SimulatedCluster {
  readonly pods: readonly SimulatedPod[];
  /** Pods come and go until there are so many. */
  scale(replicas: number): void;
  /** The container dies and is started again in the same Pod. */
  crash(pod: SimulatedPod): void;
  /** The Pod is deleted, its program asked to end or not, and another takes its place. */
  replace(pod: SimulatedPod, how: "asked" | "killed"): void;
  /** All programs end, as asked. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly plan: Plan;
  readonly api: KubernetesApi;
  readonly scheduler: Scheduler;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly trace: Trace;
  readonly trueTime: () => number;
  readonly onViolation: (what: string) => void;
}

export function createSimulatedCluster(options: ClusterOptions): SimulatedCluster {
  const { plan, api, scheduler, network, random, trace } = options;
  const pods = new Set<SimulatedPod>();
  let started = 0;
  let wanted = 0;
  let stopped = false;
  const note = (line: string): void => trace.add(scheduler.now, line);

  const startPod = (): void => {
    const name = `shop-${started}`;
    started += 1;
    api.store.create("pods", podOf(name));
    const kubelet = createSimulatedKubelet({
      ...{ api, scheduler, random: random.fork(), namespace: NAMESPACE, pod: name, secret: NAME },
      periodMs: plan.syncMs,
    });
    const skewMs = random.between(-plan.skewMs, plan.skewMs);
    const pod: SimulatedPod = { name, kubelet, skewMs, replica: undefined, ending: false, reported: false };
    pods.add(pod);
    note(`Pod ${name} is created, its clock off by ${Math.round(skewMs)} ms`);
    startContainer(pod);
    // Its program may have been running for a while when that is reported.
    const reportMs = random.chance(0.25) ? random.between(3_000, 30_000) : random.between(10, 3_000);
    scheduler.after(reportMs, () => report(pod));
  };
  const report = (pod: SimulatedPod): void => {
    if (pod.ending || !pods.has(pod)) return;
    const status = { phase: "Running", podIP: "10.0.0.1" };
    api.store.change("pods", NAMESPACE, pod.name, (current) => ({ ...current, status }), "status");
    pod.reported = true;
    note(`Pod ${pod.name} is reported to run`);
  };
  const startContainer = (pod: SimulatedPod): void => {
    if (stopped || pod.ending || !pods.has(pod)) return;
    const process = createSimulatedProcess(pod.name, scheduler, options.trueTime);
    process.skewMs = pod.skewMs;
    note(`${pod.name} starts`);
    pod.replica = startSimulatedReplica({
      ...{ process, pod: pod.name, network, kubelet: pod.kubelet, namespace: NAMESPACE, name: NAME },
      ...{ random: random.fork(), acknowledgement: plan.acknowledgement, election: plan.election },
      logger: createLogger(pod.name),
      leading: {
        serving: { dnsNames: [DNS_NAME] },
        targets: TARGETS,
        ...{ leafLifeMs: plan.leafLifeMs, authorityLifeMs: plan.authorityLifeMs, settleMs: plan.settleMs },
        replicas: {
          labelSelector: Object.entries(POD_LABELS)
            .map((pair) => pair.join("="))
            .join(),
          acknowledgement: plan.acknowledgement,
          ...(plan.prove && {
            prove: (replica, expected) => handshake(replica.name, expected.sha256, process),
          }),
        },
      },
      onExit(reason, unexpected) {
        note(`${pod.name} exits: ${reason}`);
        if (unexpected) options.onViolation(`${pod.name} exits: ${reason}`);
        if (process.alive) cluster.crash(pod);
      },
    });
  };
  /** What a replica serves, as its leader sees it from outside. */
  const handshake = (
    name: string,
    sha256: string,
    asking: { deliver(ms: number, callback: () => void): unknown },
  ): Promise<string | undefined> =>
    new Promise((resolve) => {
      const pod = [...pods].find((known) => known.name === name);
      pod?.replica?.process.deliver(random.between(1, 20), () => {
        const found = pod.replica?.served?.leaf.sha256;
        asking.deliver(random.between(1, 20), () =>
          resolve(found === sha256 ? undefined : "another certificate"),
        );
      });
      asking.deliver(5 * SECOND, () => resolve("no answer"));
    });
  const createLogger = (name: string): Logger => {
    const write = (fields: object, message: string): void =>
      note(`${name}: ${message} ${describe(fields, trace)}`);
    return { debug: () => {}, info: write, warn: write, error: write };
  };
  const end = (pod: SimulatedPod): void => {
    pods.delete(pod);
    pod.kubelet.stop();
    kill(pod);
  };
  const kill = ({ replica, name }: SimulatedPod): void => {
    replica?.process.kill();
    // Nobody tells the server; it finds out.
    scheduler.after(random.between(0, 10_000), () => network.forget(name));
  };
  const remove = (pod: SimulatedPod, how: "asked" | "killed"): void => {
    note(`Pod ${pod.name} is deleted, its program ${how}`);
    pod.ending = true;
    api.store.delete("pods", NAMESPACE, pod.name, { gracePeriodSeconds: how === "asked" ? 30 : 0 });
    if (how === "killed") {
      end(pod);
      return;
    }
    const gone = (): void => {
      if (pods.has(pod)) end(pod);
    };
    void pod.replica?.stop().then(gone);
    scheduler.after(30_000, gone);
  };

  const cluster: SimulatedCluster = {
    get pods() {
      return [...pods];
    },
    scale(replicas) {
      wanted = replicas;
      const living = [...pods].filter(({ ending }) => !ending);
      for (let missing = wanted - living.length; missing > 0; missing--) startPod();
      for (const pod of living.slice(wanted)) remove(pod, random.pick(["asked", "killed"]));
    },
    crash(pod) {
      // Between two lives there is nothing to die.
      if (!pod.replica?.process.alive) return;
      note(`${pod.name} dies`);
      kill(pod);
      scheduler.after(random.between(500, 10_000), () => startContainer(pod));
    },
    replace(pod, how) {
      remove(pod, how);
      scheduler.after(random.between(500, 5_000), () => {
        if (!stopped) cluster.scale(wanted);
      });
    },
    async stop() {
      stopped = true;
      await Promise.all(
        [...pods].map(async (pod) => {
          await pod.replica?.stop();
          pod.kubelet.stop();
        }),
      );
    },
  };
  return cluster;
}

function podOf(name: string): Parameters<KubernetesApi["store"]["create"]>[1] {
  return {
    metadata: { name, namespace: NAMESPACE, labels: { ...POD_LABELS } },
    spec: { containers: [{ name: "webhook", image: "webhook" }] },
  };
}

/** Without what differs between runs of one seed: hashes get names. */
function describe(fields: object, trace: Trace): string {
  return JSON.stringify(fields)
    .replace(/[0-9a-f]{64}/g, (hash) => trace.nameOf("hash", hash))
    .replace(/"serialNumber":"[^"]*"/g, '"serialNumber":""');
}
