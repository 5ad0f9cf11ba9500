import type { KubernetesApi } from "@newleaf/testing";
import { DESTRUCTIVE, HARMLESS } from "./mischief.ts";
import type { Plan } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedCluster, SimulatedPod } from "./simulated-cluster.ts";
import { FAIR, type SimulatedNetwork, type Weather } from "./simulated-network.ts";
import type { Trace } from "./trace.ts";

export interface Disturbances {
  /** When the last one ended; undefined while one lasts. */
  readonly calmSince: number | undefined;
  /** The last time that somebody deleted the election Lease: its holder may not know yet. */
  readonly electionLostAt: number;
}

type Storm = Omit<Weather, "downUntil">;

export interface DisturbanceOptions {
  readonly plan: Plan;
  readonly api: KubernetesApi;
  readonly scheduler: Scheduler;
  readonly network: SimulatedNetwork;
  readonly cluster: SimulatedCluster;
  readonly random: Random;
  readonly trace: Trace;
  /** Whether all knowledge is there, so that some of it may be destroyed. */
  readonly isWhole: () => boolean;
}

/** Starts one disturbance after the other, some at the same time, until the plan says that it is enough. */
export function startDisturbances(options: DisturbanceOptions): Disturbances {
  const { plan, api, scheduler, network, cluster, random, trace } = options;
  const { weather } = network;
  const state = { active: 0, calmSince: 0, electionLostAt: Number.NEGATIVE_INFINITY };

  const lasting = (begin: () => () => void, longestMs = plan.longestMs, shortestMs = 100): void => {
    state.active += 1;
    const end = begin();
    scheduler.after(random.between(shortestMs, longestMs), () => {
      end();
      state.active -= 1;
      state.calmSince = scheduler.now;
    });
  };
  const momentary = (happen: () => void): void => {
    happen();
    state.calmSince = scheduler.now;
  };
  const somePod = (): SimulatedPod | undefined => random.pick(cluster.pods.filter(({ ending }) => !ending));
  const leaderOrSome = (): SimulatedPod | undefined =>
    random.chance(0.6) ? (cluster.pods.find(({ replica }) => replica?.leads) ?? somePod()) : somePod();

  const storms: Storm[] = [];
  const storm = (): void =>
    lasting(() => {
      const one: Storm = {
        slowest: random.pick([15, 200, 3_000]),
        lostRequests: random.pick([0, 0.02, 0.1]),
        lostAnswers: random.pick([0, 0.02, 0.15]),
        stragglers: random.pick([0, 0.02, 0.1]),
        refusals: random.pick([0, 0.05, 0.3]),
        stalls: random.pick([0, 0.01, 0.05]),
        staleLists: random.pick([0, 0.5, 1]),
      };
      storms.push(one);
      Object.assign(weather, one);
      return () => {
        storms.splice(storms.indexOf(one), 1);
        Object.assign(weather, storms.at(-1) ?? FAIR);
      };
    }, plan.longestMs * 2);
  const cutOff = (pods: readonly SimulatedPod[]): void =>
    lasting(() => {
      const how = random.pick(["refuse", "drop"] as const);
      for (const { name, kubelet } of pods) {
        network.cutOff(name, how);
        network.disturbStreams(how === "drop" ? "silence" : "reset", name);
        kubelet.cutOff = random.chance(0.5);
      }
      return () => {
        for (const { name, kubelet } of pods) {
          network.reconnect(name);
          network.disturbStreams("reset", name);
          kubelet.cutOff = !cluster.pods.some((pod) => pod.kubelet === kubelet);
        }
      };
    });
  const restartApi = (): void =>
    momentary(() => {
      api.restart({ history: random.pick(["kept", "lost"]) });
      weather.downUntil = scheduler.now + random.between(0, 10_000);
    });
  const outage = (): void =>
    lasting(() => {
      weather.downUntil = Number.POSITIVE_INFINITY;
      network.disturbStreams("reset");
      return () => {
        weather.downUntil = 0;
        api.restart({ history: random.pick(["kept", "lost"]) });
      };
    });
  const destroy = (): void => {
    if (!options.isWhole()) return;
    momentary(() => {
      const what = random.pick(Object.keys(DESTRUCTIVE));
      trace.add(scheduler.now, `* ${what}`);
      DESTRUCTIVE[what]?.(api, random);
    });
  };
  const annoy = (): void =>
    momentary(() => {
      const what = random.pick(Object.keys(HARMLESS));
      trace.add(scheduler.now, `* ${what}`);
      HARMLESS[what]?.(api, random);
      if (what === "the election Lease is deleted") state.electionLostAt = scheduler.now;
    });

  const disturb: Readonly<Record<string, () => void>> = {
    storm,
    "storm again": storm,
    "one is cut off": () => cutOff([leaderOrSome()].flatMap((pod) => pod ?? [])),
    "all are cut off": () => cutOff(cluster.pods),
    outage,
    "the API server restarts": restartApi,
    "watches break": () => momentary(() => network.disturbStreams("reset")),
    // Until their readers notice.
    "watches go silent": () =>
      lasting(
        () => {
          network.disturbStreams("silence", random.chance(0.5) ? somePod()?.name : undefined);
          return () => {};
        },
        320_000,
        320_000,
      ),
    "a process stalls": () =>
      momentary(() => leaderOrSome()?.replica?.process.stall(random.between(1_000, 30_000))),
    "a process dies": () =>
      momentary(() => {
        const pod = leaderOrSome();
        if (pod) cluster.crash(pod);
      }),
    "a Pod is replaced": () =>
      momentary(() => {
        const pod = leaderOrSome();
        if (pod) cluster.replace(pod, random.pick(["asked", "killed"]));
      }),
    "the webhook is scaled": () =>
      momentary(() => {
        cluster.scale(random.pick([1, 2, 3, 4]));
        scheduler.after(random.between(0, plan.pauseMs), () => cluster.scale(plan.replicas));
      }),
    "a clock steps": () =>
      momentary(() => {
        const pod = somePod();
        if (!pod?.replica) return;
        pod.skewMs = random.between(-plan.skewMs, plan.skewMs);
        pod.replica.process.skewMs = pod.skewMs;
      }),
    mischief: destroy,
    "more mischief": destroy,
    "a nuisance": annoy,
    "another nuisance": annoy,
  };
  const next = (): void => {
    if (scheduler.now > plan.disturbedMs) return;
    const what = random.pick(Object.keys(disturb));
    trace.add(scheduler.now, `* ${what}`);
    disturb[what]?.();
    scheduler.after(random.between(0, 2 * plan.pauseMs), next);
  };
  scheduler.after(random.between(0, plan.pauseMs), next);

  return {
    get calmSince() {
      return state.active > 0 ? undefined : state.calmSince;
    },
    get electionLostAt() {
      return state.electionLostAt;
    },
  };
}
