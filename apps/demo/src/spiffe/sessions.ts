import { setTimeout as sleep } from "node:timers/promises";
import { createRolloverParticipant, type IdentitySource } from "@newleaf/rotation";
import type { DemoClient } from "../external-client.ts";
import type { DatabaseClient } from "./database.ts";

/** Queries one after another until disposed, which disposes the client too. */
export interface Sessions extends DemoClient {
  /** Resolves when a query has failed, with its words. */
  readonly failed: Promise<string>;
}

const PAUSE_MS = 50;

export function startSessions(name: string, client: DatabaseClient, source: IdentitySource): Sessions {
  let [requests, failures, stopped] = [0, 0, false];
  let lastFailure: string | undefined;
  let report: (message: string) => void = () => {};
  const failed = new Promise<string>((resolve) => {
    report = resolve;
  });
  const running = (async () => {
    while (!stopped) {
      try {
        await client.query();
      } catch (error) {
        failures++;
        lastFailure = error instanceof Error ? error.message : String(error);
        report(lastFailure);
      }
      requests++;
      await sleep(PAUSE_MS);
    }
  })();
  return {
    name,
    failed,
    tally: () => ({ requests, failures }),
    lastFailure: () => lastFailure,
    participant: createRolloverParticipant({ name, source, rotation: client.rotation }),
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
      await client[Symbol.asyncDispose]();
    },
  };
}
