import { type RolloverParticipant, type RolloverPlan, type RolloverStep, rollTrust } from "@newleaf/rotation";
import type { Demo } from "./demo.ts";

const STEPS: Readonly<Record<RolloverStep, string>> = {
  published: "both authorities are in every bundle",
  acknowledged: "everyone verifies with both",
  switched: "leaves are issued by the next authority",
  proved: "everyone uses such a leaf, proved by handshakes",
  dropped: "the old authority is out of every bundle",
  retired: "nobody accepts it any more",
};

/** The CA rollover: while everyone goes on, one authority follows another. Whether it came to its end. */
export async function tellRolloverStory(
  demo: Demo,
  plan: Omit<RolloverPlan, "participants">,
  participants: () => readonly RolloverParticipant[],
): Promise<boolean> {
  demo.tell("step", "CA rollover: the next authority joins the trust, leaves move, the old one leaves");
  const { outcome, reason } = await rollTrust(
    { ...plan, participants },
    {
      signal: demo.signal,
      stepTimeoutMs: 30_000,
      onStep: ({ steps }) => demo.tell("rotation", STEPS[Object.keys(steps).at(-1) as RolloverStep]),
    },
  );
  if (outcome !== "complete" && !demo.signal.aborted) {
    demo.problem(`the CA rollover stopped at ${reason?.step}: ${reason?.message}`);
  }
  return outcome === "complete";
}
