import { setTimeout as sleep } from "node:timers/promises";
import { resources, valueOrThrow } from "@newleaf/kube";
import type { Admissions } from "./admissions.ts";
import { isDelivered } from "./announced-round.ts";
import { CONFIG_DELAY_MS } from "./cluster.ts";
import { NAME, NAMESPACE } from "./cluster-objects.ts";
import { eventually } from "./eventually.ts";
import type { Stage } from "./stage.ts";
import { storedBundle, storedSecret } from "./stored.ts";

/** Somebody deletes the serving Secret. Resolves with the milliseconds until it was there again. */
export async function tellSecretStory(stage: Stage): Promise<number> {
  const { demo, cluster, announcements } = stage;
  const { signal } = demo;
  const secrets = cluster.admin.resource(resources.secrets, { namespace: NAMESPACE });
  const renewals = announcements.renewals;
  valueOrThrow(await secrets.delete(NAME, { signal }), "the Secret cannot be deleted");
  const deletedAt = performance.now();
  demo.tell("step", "the serving Secret is deleted");
  await eventually("a Secret", () => storedSecret(cluster.api, NAME), signal);
  const repairedMs = performance.now() - deletedAt;
  demo.tell("good", `it is there again after ${repairedMs.toFixed(0)} ms, with another certificate`);
  const isOver = (): boolean =>
    announcements.renewals > renewals &&
    announcements.current !== undefined &&
    isDelivered(announcements.current);
  await eventually("the certificate of the new Secret served", isOver, signal);
  return repairedMs;
}

export interface BundleWiped {
  readonly repairedMs: number;
  /** Admissions that the API server refused meanwhile: it had no CA to verify the webhook with. */
  readonly refused: number;
}

const UNVERIFIED = /failed calling webhook.*certificate signed by unknown authority/;

/** Somebody takes the caBundle out of the configuration, while manifests come in. */
export async function tellBundleStory(stage: Stage, admissions: Admissions): Promise<BundleWiped> {
  const { demo, cluster } = stage;
  const { signal } = demo;
  const configurations = cluster.admin.resource(resources.validatingWebhookConfigurations);
  using refusals = admissions.expectRefusals(UNVERIFIED);
  const wipe = { type: "json", body: [{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }] } as const;
  valueOrThrow(await configurations.patch(NAME, wipe, { signal }), "the caBundle cannot be wiped");
  const wipedAt = performance.now();
  demo.tell("step", "the caBundle is wiped: the API server cannot verify anybody, and has to refuse");
  await eventually("a caBundle", () => storedBundle(cluster.api) !== "", signal);
  const repairedMs = performance.now() - wipedAt;
  // The API server hears of both as late.
  await sleep(2 * CONFIG_DELAY_MS, undefined, { signal });
  const refused = refusals.count;
  demo.tell(
    "good",
    `it is there again after ${repairedMs.toFixed(0)} ms; refused meanwhile, and not counted as failed: ${refused}`,
  );
  return { repairedMs, refused };
}
