import { setTimeout as delay } from "node:timers/promises";
import { connectKube } from "@newleaf/kube";
import { type Kubernetes, kubernetesProgram, startKubernetes } from "../e2e/kubernetes.ts";
import type { Bench, Target } from "./bench.ts";
import { peakMb, residentMb } from "./cpu-time.ts";
import { createDeployments, deploymentKb, scaleDeployments } from "./deployments.ts";
import { eventTable, syncTable, targetsOf } from "./informer-report.ts";
import { findInformers, type InformerPeer } from "./peers/informer.ts";
import type { Counted, CountRequest, Synced } from "./servers/informer-measures.ts";

/** One informer in one round. */
export interface InformerRound extends Synced {
  readonly peakMb: number;
  readonly afterMb: number;
  readonly eventUs: number;
  readonly eventBlockedMs: number;
}

/** Ten thousand Deployments and then their changes, through the informers of three libraries. */
export const informer: Bench = {
  name: "informer",
  async run({ quick, home, log }) {
    const [objects, updates, rounds] = quick ? [500, 100, 1] : [10_000, 1_000, 5];
    const { informers, absent } = await findInformers(home);
    if (kubernetesProgram() === undefined) {
      const line = "NEWLEAF_ETCD or NEWLEAF_KUBERNETES is not installed; e2e/setup/install.sh installs them";
      return { method: "not measured", tables: [], targets: [], absent: [...absent, line] };
    }
    await using kubernetes = await startKubernetes();
    await using kube = await connectKube({ kubeconfig: kubernetes.kubeconfig, rateLimit: false });
    log(`informer: creating ${objects} Deployments`);
    await createDeployments(kube.client, objects);
    const kb = await deploymentKb(kubernetes);
    const results = new Map<InformerPeer, InformerRound[]>(informers.map((peer) => [peer, []]));
    for (let round = 1; round <= rounds; round += 1) {
      for (const [place, [peer, measured]] of [...results].entries()) {
        log(`informer: round ${round} of ${rounds}, ${peer.title}`);
        const scale = (): Promise<void> =>
          scaleDeployments(kube.client, updates, round * informers.length + place);
        measured.push(await measure(peer, kubernetes, { objects, updates }, scale));
      }
    }
    const { gitVersion } = await kubernetes.administrator.request<{ gitVersion: string }>("GET", "/version");
    const targets: readonly Target[] = quick ? [] : targetsOf(results);
    return {
      method: `medians of ${rounds} rounds by turns, one informer at a time in a process of its own; kube-apiserver ${gitVersion} and etcd without fsync on the same CPUs; ${objects} Deployments of ${kb.toFixed(1)} KB in JSON, then ${updates} scales by 8 writers`,
      tables: [syncTable(results), eventTable(results)],
      targets,
      absent,
    };
  },
};

async function measure(
  peer: InformerPeer,
  { kubeconfig }: Kubernetes,
  { objects, updates }: { readonly objects: number; readonly updates: number },
  scale: () => Promise<void>,
): Promise<InformerRound> {
  await using conversation = await peer.start(kubeconfig);
  const synced = (await conversation.next()) as Synced;
  if (synced.objects !== objects)
    throw new Error(`${peer.title} has ${synced.objects} of ${objects} objects`);
  await delay(1_000);
  const memory = { peakMb: peakMb(conversation.pid), afterMb: residentMb(conversation.pid) };
  conversation.say({ expect: updates } satisfies CountRequest);
  await conversation.next();
  const [counted] = await Promise.all([conversation.next() as Promise<Counted>, scale()]);
  return {
    ...synced,
    ...memory,
    eventUs: (counted.cpuMs / counted.events) * 1_000,
    eventBlockedMs: counted.blockedMs,
  };
}
