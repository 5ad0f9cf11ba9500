import type { Demo } from "../demo.ts";
import { type Admissions, startAdmissions } from "./admissions.ts";
import { Announcements } from "./announcements.ts";
import { type ApiCalls, countApiCalls } from "./api-calls.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { NAME } from "./cluster-objects.ts";
import { findLoopback } from "./loopback.ts";
import { type Replica, startReplica } from "./replica.ts";
import { storedLease } from "./stored.ts";

/** What the stories play on. */
export interface Stage {
  readonly demo: Demo;
  readonly cluster: Cluster;
  /** Those that live, by the names of their Pods. */
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly announcements: Announcements;
  readonly calls: ApiCalls;
  /** Starts the next replica; resolves before it serves. */
  startReplica(): Promise<Replica>;
  /** From one moment to the next. */
  kill(replica: Replica): Promise<void>;
  /** From now on manifests are sent. */
  startAdmissions(): Promise<Admissions>;
  /** Who holds the election's Lease, and for the how manieth time it has changed hands. */
  leadership(): { readonly leader: string; readonly term: number };
}

/** An API server, a node, and nothing else yet. */
export async function setTheStage(demo: Demo): Promise<Stage> {
  const replicas = new Map<string, Replica>();
  const loopback = await findLoopback();
  let started = 0;
  const cluster: Cluster = demo.keep(await startCluster((...swap) => announcements.onSync(...swap)));
  const { api } = cluster;
  const announcements: Announcements = new Announcements(demo, api, replicas);
  const calls = countApiCalls(api);
  demo.keep({
    async [Symbol.asyncDispose]() {
      announcements[Symbol.dispose]();
      calls[Symbol.dispose]();
    },
  });
  if (!loopback.likePods) {
    demo.tell(
      "step",
      "this machine has one loopback address only: the leader asks no replica by a handshake",
    );
  }
  return {
    demo,
    cluster,
    replicas,
    announcements,
    calls,
    async startReplica() {
      const name = `webhook-${started}`;
      started += 1;
      const endpoint = await loopback.address(started);
      const replica = await startReplica(cluster, {
        name,
        endpoint,
        provePort: loopback.likePods ? endpoint.port : 0,
        onLine: (line) => announcements.onLine(name, line),
      });
      replicas.set(name, demo.keep(replica));
      return replica;
    },
    async kill(replica) {
      replicas.delete(replica.name);
      announcements.forget(replica.name);
      await replica.kill();
    },
    async startAdmissions() {
      const admissions = await startAdmissions(cluster.userKubeconfig, (rule) => demo.countRefused(rule));
      demo.addClient(admissions);
      return admissions;
    },
    leadership() {
      const { holderIdentity = "", leaseTransitions = 0 } = storedLease(api, `${NAME}-leader`)?.spec ?? {};
      return { leader: holderIdentity, term: leaseTransitions };
    },
  };
}

/** Rows of the live view: who leads, what is announced and served, and how long the last way was. */
export function headlinesOf(stage: Stage, emphasize: (text: string) => string): readonly string[] {
  const { announcements, replicas } = stage;
  const { leader, term } = stage.leadership();
  const short = (hash: string | undefined): string => hash?.slice(0, 8) ?? "…";
  const last = (times: readonly number[]): string => {
    const ms = times.at(-1);
    return ms === undefined ? "…" : `${ms.toFixed(0)} ms`;
  };
  const serving = [...replicas.keys()].map((pod) => `${pod} ${short(announcements.servedBy(pod))}`);
  const { discoveryMs, kubeletMs, current } = announcements;
  return [
    `leader   ${emphasize(leader || "…")}, term ${term}; the Lease announces ${emphasize(short(current?.certHash))}`,
    `serving  ${serving.join(", ")}`,
    `latest   seen in the Lease after ${last(discoveryMs)}, kubelet after ${last(kubeletMs)}; ${announcements.renewals} renewals`,
  ];
}
