import type { Admissions } from "./admissions.ts";
import { eventually } from "./eventually.ts";
import type { Replica } from "./replica.ts";
import type { Stage } from "./stage.ts";

export interface FirstIssue {
  readonly admissions: Admissions;
  /** From the start of the replicas, with nothing there, to the first admission that the webhook answered. */
  readonly afterMs: number;
  /** Refused by the API server before, since there was nobody to ask. */
  readonly refused: number;
}

const REPLICAS = 3;
const NOBODY_THERE = /no endpoints available|failed calling webhook/;

/** There is no certificate, no CA and no caBundle, and then there is. */
export async function tellFirstIssue(stage: Stage): Promise<FirstIssue> {
  const { demo } = stage;
  const startedAt = performance.now();
  demo.tell(
    "step",
    "three replicas of newleaf webhook; no certificate, no CA, no caBundle; manifests come in",
  );
  const admissions = await stage.startAdmissions();
  using refusals = admissions.expectRefusals(NOBODY_THERE);
  const replicas: Replica[] = [];
  for (let count = 0; count < REPLICAS; count++) replicas.push(await stage.startReplica());
  await Promise.all(replicas.map((replica) => replica.ready(demo.signal)));
  const servedAt = await eventually("a first admission", () => admissions.firstServedAt, demo.signal);
  const afterMs = servedAt - startedAt;
  const { leader } = stage.leadership();
  demo.tell(
    "good",
    `${leader} was elected and issued; first admission answered after ${(afterMs / 1000).toFixed(1)} s`,
  );
  demo.tell("step", `before that the API server refused ${refusals.count}, as failurePolicy Fail has it`);
  return { admissions, afterMs, refused: refusals.count };
}
