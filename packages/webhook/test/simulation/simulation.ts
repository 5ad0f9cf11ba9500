import type { Secret } from "@newleaf/kube";
import { createKubernetesApi, type KubernetesApi } from "@newleaf/testing";
import { readServing } from "../../src/serving-certificate.ts";
import { createAdmissionCallers } from "./admission-callers.ts";
import { storedTrust, unrest } from "./convergence.ts";
import { startDisturbances } from "./disturbances.ts";
import { type GuardedWrites, watchGuardedWrites } from "./guarded-writes.ts";
import { storageOf } from "./mischief.ts";
import { createPlan, MINUTE, NAME, NAMESPACE, type Plan, SECOND, TARGETS } from "./plan.ts";
import { createRandom, type Random } from "./random.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";
import { createSimulatedCluster, type SimulatedCluster } from "./simulated-cluster.ts";
import { createSimulatedNetwork, type Sender } from "./simulated-network.ts";
import { createTrace, type Trace } from "./trace.ts";
import { recoveryMs, rolloverMs, type WatchedAdmissions, watchAdmissions } from "./watched-admissions.ts";

export interface SimulationResult {
  readonly seed: number;
  /** Each property that did not hold, with the time; empty for a good seed. */
  readonly violations: readonly string[];
  readonly trace: Trace;
  readonly stats: Readonly<Record<string, number>>;
}

const EPOCH = Date.UTC(2030, 0, 1);

/** One history of a webhook, determined by the seed: all but its keys, and nothing depends on those. */
export async function simulate(seed: number): Promise<SimulationResult> {
  const random = createRandom(seed);
  const plan = createPlan(seed, random.fork());
  const trace = createTrace();
  const violations: string[] = [];
  let admissions: WatchedAdmissions | undefined;
  const scheduler = createScheduler(() => admissions?.settled());
  const onViolation = (what: string): void => {
    const line = `${(scheduler.now / 1000).toFixed(3)} ${what}`;
    trace.add(scheduler.now, `! ${what}`);
    if (violations.length < 20) violations.push(line);
  };
  const onRejection = (error: unknown): void => onViolation(`unhandled rejection: ${String(error)}`);
  process.on("unhandledRejection", onRejection);
  try {
    const world = createWorld({ plan, random, trace, scheduler, onViolation });
    admissions = world.admissions;
    await live({ ...world, plan, scheduler, onViolation });
    await end({ ...world, plan, scheduler, onViolation });
    const { leaves, expired } = world.admissions;
    const stats = {
      ...world.stats,
      late: world.guarded.late,
      leaves,
      expired,
      events: trace.length,
      simulatedMs: scheduler.now,
    };
    return { seed, violations, trace, stats };
  } finally {
    process.off("unhandledRejection", onRejection);
  }
}

interface Given {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly onViolation: (what: string) => void;
}

interface World {
  readonly api: KubernetesApi;
  readonly network: ReturnType<typeof createSimulatedNetwork>;
  readonly cluster: SimulatedCluster;
  readonly admissions: WatchedAdmissions;
  readonly guarded: GuardedWrites;
  readonly stats: Record<string, number>;
}

function createWorld(given: Given & { readonly random: Random; readonly trace: Trace }): World {
  const { plan, random, trace, scheduler, onViolation } = given;
  const trueTime = (): number => EPOCH + scheduler.now;
  const clock = {
    now: () => Math.floor(trueTime()),
    setTimeout: (callback: () => void, ms: number) => scheduler.after(ms, callback),
  };
  const api = createKubernetesApi({ clock, random: random.fork(), managedFields: false, auditLimit: 1 });
  const stats: Record<string, number> = { trusts: 0 };
  let sender: Sender | undefined;

  const callers = createAdmissionCallers({
    ...{ api, scheduler, random: random.fork(), lagMs: plan.lagMs },
    byLeader: () => sender !== undefined,
    onChange: () => admissions.check(),
  });
  createObjects(api);
  const network = createSimulatedNetwork({
    ...{ api, scheduler, random: random.fork(), trace },
    onSend: (sent) => guarded.onSend(sent),
    onHandle: (now) => {
      sender = now;
    },
  });
  const cluster = createSimulatedCluster({
    ...{ plan, api, scheduler, network, random: random.fork(), trace, trueTime, onViolation },
  });
  const disturbances = startDisturbances({
    ...{ plan, api, scheduler, network, cluster, random: random.fork(), trace },
    isWhole: () => callers.spoiled.length === 0 && isStored(api),
  });
  const guarded = watchGuardedWrites({
    ...{ api, onViolation, writer: () => sender, currentBundle: () => storedTrust(api) },
    electionDisturbed: () => scheduler.now - disturbances.electionLostAt < 2 * plan.election.leaseDurationMs,
  });
  const admissions: WatchedAdmissions = watchAdmissions({
    ...{
      plan,
      api,
      scheduler,
      cluster,
      callers,
      trueTime,
      onViolation,
      calmSince: () => disturbances.calmSince,
    },
  });
  let trust = "";
  api.store.table.subscribe("secrets", () => {
    const now = storedTrust(api);
    if (now !== trust) stats.trusts = (stats.trusts ?? 0) + 1;
    trust = now;
  });
  cluster.scale(plan.replicas);
  return { api, network, cluster, admissions, guarded, stats };
}

/** The disturbed part, a time to recover, and a calm part in which certificates are renewed. */
async function live({
  plan,
  scheduler,
  api,
  cluster,
  admissions,
  onViolation,
}: Given & World): Promise<void> {
  const random = createRandom(plan.seed + 1);
  while (scheduler.now < plan.disturbedMs + plan.longestMs * 2) {
    await scheduler.run(scheduler.now + random.between(0, 20 * SECOND));
    admissions.check();
  }
  await converge(2 * recoveryMs(plan) + 5 * MINUTE + rolloverMs(plan));
  await scheduler.run(scheduler.now + plan.calmMs);
  await converge(rolloverMs(plan));

  async function converge(withinMs: number): Promise<void> {
    const until = scheduler.now + withinMs;
    while (unrest(api, cluster) !== undefined) {
      if (scheduler.now >= until) return onViolation(`it does not come to rest: ${unrest(api, cluster)}`);
      await scheduler.run(scheduler.now + SECOND);
      admissions.check();
    }
  }
}

/** Everything is stopped, and nothing may be left. */
async function end({ scheduler, api, network, cluster, onViolation }: Given & World): Promise<void> {
  const processes = cluster.pods.flatMap(({ replica }) => replica?.process ?? []);
  let stopped = false;
  const stopping = cluster.stop().then(() => {
    stopped = true;
  });
  await scheduler.run(scheduler.now + 2 * MINUTE);
  if (!stopped) onViolation("stopping does not end");
  else await stopping;
  for (const { name, pending } of processes)
    if (pending > 0) onViolation(`${name} has left ${pending} timers`);
  if (network.streams > 0) onViolation(`${network.streams} watches are left open`);
  if (api.watches > 0) onViolation(`the API server has ${api.watches} watches left`);
  await api[Symbol.asyncDispose]();
}

function createObjects({ store }: KubernetesApi): void {
  store.create("namespaces", { metadata: { name: NAMESPACE } });
  for (const { kind, name } of TARGETS) {
    store.create(storageOf(kind), {
      metadata: { name },
      webhooks: [
        {
          name: "orders.shop.example",
          clientConfig: { service: { namespace: NAMESPACE, name: "webhook" } },
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
        },
      ],
    });
  }
}

/** CA Secret and serving Secret are there and say the same, so that each could be made of the other. */
function isStored(api: KubernetesApi): boolean {
  const serving = api.store.get("secrets", NAMESPACE, NAME) as Secret | undefined;
  const trust = storedTrust(api);
  return trust !== "" && serving?.data?.["ca.crt"] === trust && readServing(serving).leaf !== undefined;
}
