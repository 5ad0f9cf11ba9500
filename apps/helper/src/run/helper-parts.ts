import { join } from "node:path";
import {
  createFilePublisher,
  DaemonError,
  type FilePublisher,
  type Health,
  type Logger,
  type Metrics,
} from "@newleaf/daemon";
import { signalProcess } from "@newleaf/rotation";
import type { HelperConfig } from "../config/config.ts";
import { hasX509 } from "../config/files-config.ts";
import { HelperError } from "../error.ts";
import { groupOf } from "./groups.ts";
import { createServedCheck, type ServedCheck } from "./served-check.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";
import { createWriteStatuses, type WriteStatuses } from "./write-statuses.ts";

/** What the tasks of one helper share. */
export interface Helper {
  readonly config: HelperConfig;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly statuses: WriteStatuses;
  readonly publisher: FilePublisher;
  readonly served: ServedCheck;
  readonly supervisor: Supervisor | undefined;
  readonly countReload: (reload: string, outcome: "done" | "failed" | "not_served") => void;
}

export function createParts(config: HelperConfig, health: Health, metrics: Metrics, logger: Logger): Helper {
  const { files, jwtSvids, command, renewSignal } = config;
  const jwtNames = [
    ...(files.jwtBundle === undefined ? [] : [files.jwtBundle]),
    ...jwtSvids.map(({ fileName }) => fileName),
  ];
  const reloads = metrics.counter({
    name: "newleaf_helper_reloads_total",
    help: "Attempts to tell a process of a new certificate, by how they ended",
    labelNames: ["reload", "outcome"],
  });
  const served = createServedCheck();
  if (hasX509(files)) health.addReadiness("identity", () => ({ ok: false, reason: "no identity yet" }));
  health.addReadiness("served", () => served.check());
  return {
    config,
    health,
    metrics,
    logger,
    statuses: createWriteStatuses(
      hasX509(files),
      jwtNames.map((name) => join(files.directory, name)),
    ),
    publisher: publisherOf(config),
    served,
    supervisor: command && createSupervisor({ command, renewSignal, logger }),
    countReload: (reload, outcome) => reloads.inc({ reload, outcome }),
  };
}

/** The one that writes into `cert_dir`. */
export function publisherOf(config: HelperConfig): FilePublisher {
  const { directory, publish: how, owner } = config.files;
  const words = { directory: "cert_dir", plainFiles: 'publish = "files"', owner: "file_owner" };
  const publisher = createFilePublisher({ directory, how, owner, words, groupOf: groupOf(config) });
  return {
    async publish(group, files) {
      try {
        await publisher.publish(group, files);
      } catch (cause) {
        if (!(cause instanceof DaemonError)) throw cause;
        const { message, hint } = cause;
        throw new HelperError("ERR_HELPER_WRITE", message, { ...(hint !== undefined && { hint }), cause });
      }
    },
  };
}

/** Sends the renew signal to the process of the pid file, if one is configured. */
export async function signalPidFile({ pidFile, renewSignal }: HelperConfig): Promise<void> {
  if (pidFile !== undefined) await signalProcess({ pidFile }, renewSignal ?? "SIGHUP");
}
