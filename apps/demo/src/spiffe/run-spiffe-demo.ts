import { setTimeout as sleep } from "node:timers/promises";
import type { CommandContext } from "@newleaf/daemon";
import { Demo } from "../demo.ts";
import { tallyOf } from "../demo-result.ts";
import { ServedRotations } from "../served-rotations.ts";
import type { Parts } from "./find-parts.ts";
import { tellMendStory } from "./mend-story.ts";
import { NO_OUTAGE, tellOutageStory } from "./outage-story.ts";
import { openShop, type Shop } from "./shop.ts";
import type { SpiffeDemoResult } from "./spiffe-result.ts";
import { type Stage, setTheStage } from "./stage.ts";

export interface SpiffeDemoOptions {
  readonly duration: number;
  /** Programs of this machine that take part. */
  readonly parts: Parts;
}

/** Runs both acts and tells them on stderr. Resolves with what they showed, interrupted or not. */
export async function runSpiffeDemo(
  { duration, parts }: SpiffeDemoOptions,
  context: CommandContext,
): Promise<SpiffeDemoResult> {
  await using demo: Demo = new Demo(context, {
    title: "newleaf demo spiffe",
    durationMs: duration,
    headlines: () => [database, backend].map((served) => served.headline(context.style.bold)),
  });
  const database: ServedRotations = new ServedRotations(demo, "database", "it was issued");
  const backend: ServedRotations = new ServedRotations(demo, "backend", "it was issued");

  const stage = await demo.play(() => setTheStage(demo, parts));
  const outage = stage && (await demo.play(() => tellOutageStory(demo, stage)));
  const shop = stage && (await secondAct(demo, stage, { parts, database, backend }));
  if (shop) {
    await demo.until(1);
    await settle(demo, stage, [database, backend]);
    for (const { failure } of shop.programs) if (failure !== undefined) demo.problem(failure);
  }

  await demo.finish();
  await shop?.following;
  return {
    ...tallyOf(demo, [database, backend]),
    outage: outage ?? NO_OUTAGE,
    parts: { postgresql: stage?.isPostgres === true, envoy: shop?.envoy !== undefined },
  };
}

interface SecondActParts {
  readonly parts: Parts;
  readonly database: ServedRotations;
  readonly backend: ServedRotations;
}

/** Act two: the loop is closed, and the whole stack works under load while everything rotates. */
function secondAct(
  demo: Demo,
  stage: Stage,
  { parts, database, backend }: SecondActParts,
): Promise<Shop | undefined> {
  const { world, identity } = stage;
  const act = async (): Promise<Shop> => {
    await stage.helper[Symbol.asyncDispose]();
    const options = { ...stage.helperOptions, reload: stage.database.reload };
    const helper = await tellMendStory(demo, options, database);
    world.onIssued("database", ({ sha256, serialNumber }, writtenAt) => {
      database.written({ sha256, serialNumber, writtenAt });
    });
    if (parts.envoy === undefined) demo.tell("step", "envoy is not on this machine: left out");
    const shop = await openShop(
      demo,
      { world, database: stage.database, identity, envoy: parts.envoy },
      backend,
    );
    return { ...shop, programs: [helper, ...shop.programs] };
  };
  return demo.play(act).catch((error: unknown) => {
    demo.problem(`act two: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
}

/** As much as an SVID may miss of its life without coming near its end. */
const SETTLE_MS = 3_000;

/** The last SVIDs get the time to be served; whichever was not is a problem. */
async function settle(demo: Demo, { world }: Stage, servers: readonly ServedRotations[]): Promise<void> {
  world.stopRenewing();
  const deadline = Date.now() + SETTLE_MS;
  const isOpen = (): boolean => servers.some(({ unproved }) => unproved > 0);
  while (isOpen() && Date.now() < deadline && !demo.signal.aborted) await sleep(20);
  if (demo.signal.aborted) return;
  for (const { name, unproved } of servers) {
    if (unproved > 0) demo.problem(`${name}: ${unproved} new certificates were never seen to be served`);
  }
}
