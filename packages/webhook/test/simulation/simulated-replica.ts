import { createKubeClient, electLeader, KubeError, type Logger, resources } from "@newleaf/kube";
import type { Generation, IdentitySource } from "@newleaf/rotation";
import { WebhookError } from "../../src/error.ts";
import { followCertificate } from "../../src/follower.ts";
import { type LeadCertificateOptions, leadCertificate } from "../../src/leader.ts";
import type { SimulatedKubelet } from "./simulated-kubelet.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

/** One life of a replica's process: it stands for election, leads when elected, and follows. */
export interface SimulatedReplica {
  readonly process: SimulatedProcess;
  readonly pod: string;
  readonly leads: boolean;
  /** What it serves; undefined before the first certificate, and once it is dead. */
  readonly served: Generation | undefined;
  /** Everything ended and awaited. */
  stop(): Promise<void>;
}

export interface ReplicaOptions {
  readonly process: SimulatedProcess;
  readonly pod: string;
  readonly network: SimulatedNetwork;
  readonly kubelet: SimulatedKubelet;
  readonly namespace: string;
  readonly name: string;
  readonly random: () => number;
  readonly logger: Logger;
  readonly election: {
    readonly leaseDurationMs: number;
    readonly renewDeadlineMs: number;
    readonly retryPeriodMs: number;
  };
  readonly acknowledgement: "pod" | "lease";
  readonly leading: Pick<
    LeadCertificateOptions,
    "serving" | "targets" | "leafLifeMs" | "authorityLifeMs" | "settleMs" | "replicas"
  >;
  /** It ends by itself, as a program would; `unexpected`: not for a reason that is documented. */
  readonly onExit: (reason: string, unexpected: boolean) => void;
}

export function startSimulatedReplica(options: ReplicaOptions): SimulatedReplica {
  const { process, pod, network, kubelet, namespace, name, random, logger, leading } = options;
  const { clock } = process;
  const client = createKubeClient({ transport: network.transport(process), clock, random });
  const leases = client.resource(resources.leases, { namespace });
  const pods = client.resource(resources.pods, { namespace });
  const stopping = new AbortController();
  let leads = false;
  let source: IdentitySource | undefined;

  const electing = electLeader({
    ...{ leases, name: `${name}-leader`, identity: pod, clock, logger, random, ...options.election },
    signal: stopping.signal,
    async lead(leadership) {
      leads = true;
      try {
        await leadCertificate({
          ...{ client, namespace, name, identity: pod, leadership, clock, logger, random, ...leading },
        });
      } finally {
        leads = false;
      }
    },
  }).catch((error: unknown) => {
    // The work did not end in time, as after a long stall: the program ends, and is started again.
    const isDocumented = error instanceof KubeError && error.code === "ERR_KUBE_TIMEOUT";
    options.onExit(String(error), !isDocumented);
  });
  const following = followCertificate({
    ...{ leases, name, clock, logger, random, signal: stopping.signal, mount: kubelet.mount(process) },
    acknowledge: { pod: { name: pod }, ...(options.acknowledgement === "pod" ? { pods } : { leases }) },
  }).then(
    (opened) => {
      source = opened;
    },
    (error: unknown) => {
      if (stopping.signal.aborted) return;
      const isDocumented = error instanceof WebhookError && error.code === "ERR_WEBHOOK_NO_CERTIFICATE";
      options.onExit(String(error), !isDocumented);
    },
  );

  return {
    process,
    pod,
    get leads() {
      return leads && process.alive;
    },
    get served() {
      return process.alive ? source?.current() : undefined;
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      await electing;
      await following;
      await source?.[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}
