import { eventually } from "./eventually.ts";
import type { Stage } from "./stage.ts";

export interface LeaderLoss {
  /** From the kill to the next leader. */
  readonly takeoverMs: number;
}

/** The leader is killed right after it has announced a certificate, and replaced by another Pod. */
export async function tellLeaderStory(stage: Stage): Promise<LeaderLoss> {
  const { demo, announcements } = stage;
  const { signal } = demo;
  const before = announcements.renewals;
  await eventually("a renewal", () => announcements.renewals > before, signal);
  const { leader } = stage.leadership();
  const replica = stage.replicas.get(leader);
  if (!replica) throw new Error(`the leader ${leader} is no replica`);
  const killedAt = performance.now();
  demo.tell(
    "step",
    `${leader}, which leads, is killed right after it announced; its Lease is left to expire`,
  );
  await stage.kill(replica);
  const next = await eventually(
    "another leader",
    () => {
      const now = stage.leadership().leader;
      return now !== leader && now;
    },
    signal,
  );
  const takeoverMs = performance.now() - killedAt;
  demo.tell("good", `${next} leads after ${(takeoverMs / 1000).toFixed(1)} s`);
  const another = await stage.startReplica();
  const readyMs = await another.ready(signal);
  demo.tell(
    "good",
    `${another.name} takes its place, and serves what the Lease announces after ${(readyMs / 1000).toFixed(1)} s`,
  );
  return { takeoverMs };
}
