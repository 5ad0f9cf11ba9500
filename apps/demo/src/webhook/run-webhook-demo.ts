import type { CommandContext } from "@newleaf/daemon";
import { Demo } from "../demo.ts";
import { tallyOf } from "../demo-result.ts";
import { isDelivered } from "./announced-round.ts";
import { tellAuthorityStory } from "./authority-story.ts";
import { eventually } from "./eventually.ts";
import { tellFirstIssue } from "./first-issue-story.ts";
import { tellLeaderStory } from "./leader-story.ts";
import { tellBundleStory, tellSecretStory } from "./repair-stories.ts";
import { LIFE } from "./replica.ts";
import { headlinesOf, type Stage, setTheStage } from "./stage.ts";
import { type Told, type WebhookDemoResult, webhookResult } from "./webhook-result.ts";

export interface WebhookDemoOptions {
  readonly duration: number;
}

/** Runs the whole story and tells it on stderr. Resolves with what it showed, interrupted or not. */
export async function runWebhookDemo(
  { duration }: WebhookDemoOptions,
  context: CommandContext,
): Promise<WebhookDemoResult> {
  let stage: Stage | undefined;
  await using demo: Demo = new Demo(context, {
    title: "newleaf demo webhook",
    durationMs: duration,
    headlines: () => (stage ? headlinesOf(stage, context.style.bold) : []),
  });
  demo.tell("step", "a Kubernetes API with RBAC over HTTPS, and a node; nothing is installed");
  stage = await demo.play(() => setTheStage(demo));
  const told = stage ? await tellStories(stage) : {};
  await demo.finish();
  return webhookResult(demo, stage, told, (servers) => tallyOf(demo, servers));
}

async function tellStories(stage: Stage): Promise<Told> {
  const { demo } = stage;
  const act = async <T>(what: string, story: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await demo.play(story);
    } catch (error) {
      demo.problem(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const first = await act("first issue", () => tellFirstIssue(stage));
  if (!first) return {};
  const { admissions } = first;
  demo.tell("step", `certificates live for ${LIFE} and are renewed at two thirds of it, under admissions`);
  await demo.until(0.3);
  const loss = await act("leader killed", () => tellLeaderStory(stage));
  await demo.until(0.5);
  const secretMs = await act("Secret deleted", () => tellSecretStory(stage));
  await demo.until(0.6);
  const bundle = await act("caBundle wiped", () => tellBundleStory(stage, admissions));
  await demo.until(0.7);
  const rolledOver = await act("CA rollover", async () => {
    await tellAuthorityStory(stage);
    return true;
  });
  await demo.until(1);
  await act("the end", () => settle(stage));
  return { first, loss, secretMs, bundle, rolledOver };
}

/** What was announced last gets the time to be served; so does what a renewal has announced meanwhile. */
async function settle({ demo, announcements, replicas }: Stage): Promise<void> {
  const isSettled = (): boolean => announcements.current !== undefined && isDelivered(announcements.current);
  await eventually("the last certificate served by every replica", isSettled, demo.signal);
  for (const { program } of replicas.values()) {
    if (program.failure !== undefined) demo.problem(program.failure);
  }
}
