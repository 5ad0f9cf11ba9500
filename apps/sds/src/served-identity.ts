import type { CheckResult, Clock, Logger } from "@newleaf/daemon";
import { checkIdentity } from "@newleaf/observe";
import {
  type Consumer,
  createHookConsumer,
  type IdentitySource,
  type Rotation,
  type RotationRecord,
  startRotation,
} from "@newleaf/rotation";
import { whenAcknowledged } from "./acknowledged.ts";
import type { IdentityPlan, OpenIdentity } from "./identity-plan.ts";
import type { Subscribers } from "./subscribers.ts";

/** An identity on its way to Envoys: waited for, published, rotated. */
export interface ServedIdentity {
  readonly name: string;
  /** Undefined while there is no identity yet. */
  readonly current: { readonly source: IdentitySource; readonly rotation: Rotation } | undefined;
  check(now: Date): CheckResult;
  /** Reads the source again. */
  reload(): Promise<void>;
  /** Revokes what clients have had from a process before this one, if it is of this identity's kind. */
  adopt(names: readonly string[]): void;
  /** Until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ServedIdentityParts {
  readonly subscribers: Subscribers;
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long Envoys may take to answer before a rotation counts as stalled. */
  readonly ackTimeoutMs: number;
  /** Others that use this identity, from its first generation on. */
  readonly consumers?: (source: IdentitySource) => Promise<readonly Consumer[]>;
  readonly onRecord: (record: RotationRecord) => void;
}

/** Longer than whoever waits in a stage, so that the stage fails with what that has to say. */
const STAGE_MARGIN_MS = 5_000;
/** What clients say they have, until there is somebody to judge it. */
const MOST_ORPHANS = 1_000;

export function createServedIdentity(plan: IdentityPlan, parts: ServedIdentityParts): ServedIdentity {
  const { logger, clock } = parts;
  const orphans = new Set<string>();
  let waitsFor = "no identity yet";
  let opened: OpenIdentity | undefined;
  let current: ServedIdentity["current"];
  return {
    name: plan.name,
    get current() {
      return current;
    },
    check(now) {
      if (!current) return { ok: false, reason: waitsFor };
      return checkIdentity(current.rotation, current.source, now);
    },
    async reload() {
      await current?.source.reload();
    },
    adopt(names) {
      if (opened) opened.adopt(names);
      else for (const name of names) if (orphans.size < MOST_ORPHANS) orphans.add(name);
    },
    async run(signal) {
      await using identity = await plan.open({
        signal,
        onRefusal: ({ message }) => {
          waitsFor = message;
        },
      });
      const { source } = identity;
      const more = (await parts.consumers?.(source)) ?? [];
      await using rotation = startRotation(source, [envoyConsumer(identity, parts), ...more], {
        logger,
        clock,
        stageTimeoutMs: parts.ackTimeoutMs + STAGE_MARGIN_MS,
        // Connections of the listener have deadlines of their own, and secrets are gone when they are replaced.
        drainTimeoutMs: Number.POSITIVE_INFINITY,
      });
      opened = identity;
      current = { source, rotation };
      opened.adopt([...orphans]);
      orphans.clear();
      await followRecords(rotation, parts.onRecord, signal);
    },
  };
}

/** Loaded when it is published, which sends it; served when every Envoy that asked for it has taken it over. */
function envoyConsumer(
  identity: OpenIdentity,
  { subscribers, ackTimeoutMs, clock }: ServedIdentityParts,
): Consumer {
  return createHookConsumer({
    name: "envoy",
    load: (generation) => identity.publish(generation),
    prove: async (_generation, signal) => {
      await whenAcknowledged(subscribers, identity.names(), { signal, timeoutMs: ackTimeoutMs, clock });
      return [];
    },
  });
}

async function followRecords(
  rotation: Rotation,
  onRecord: (record: RotationRecord) => void,
  signal: AbortSignal,
): Promise<void> {
  // What ended before anybody could listen counts too; both happen in one turn, so nothing is taken twice.
  const live = rotation.records(signal);
  for (const record of rotation.recent()) if (record.outcome !== "running") onRecord(record);
  for await (const record of live) onRecord(record);
}
