import type { Task } from "@newleaf/daemon";
import { createWorkloadApiClient } from "@newleaf/spiffe";
import { hasX509 } from "../config/files-config.ts";
import { type Helper, signalPidFile } from "./helper-parts.ts";
import { createJwtFiles } from "./jwt-files.ts";
import { createNotifier } from "./notifier.ts";

/** What keeps the JWT files current, and tells of them where that is wanted. None if there are no such files. */
export function jwtTasks(helper: Helper): readonly Task[] {
  const { config, logger, publisher, statuses, health, supervisor } = helper;
  if (statuses.jwt.size === 0) return [];
  const x509 = hasX509(config.files);
  let started = x509;
  const notifier = createNotifier(async () => {
    // A program may need all files: it starts once they are there, of whichever kind they are.
    if (statuses.x509 === "unwritten" || [...statuses.jwt.values()].includes("unwritten")) return;
    if (started && !config.renewSignalOnJwt) return;
    started = true;
    // With X.509 the command is started by the first identity, which may be about to happen.
    if (!x509 || supervisor?.running === true) await supervisor?.renew();
    await signalPidFile(config);
  }, logger);
  const client = createWorkloadApiClient({ address: config.agentAddress, logger });
  const files = createJwtFiles({
    config,
    client,
    publisher,
    statuses,
    logger,
    onWritten: () => notifier.notify(),
  });
  health.addReadiness("jwt", () => files.check(new Date()));
  return [
    { name: "jwt notifier", run: (signal) => notifier.run(signal) },
    ...(config.files.jwtBundle === undefined
      ? []
      : [{ name: "jwt bundles", run: (signal: AbortSignal) => files.watchBundles(signal) }]),
    ...config.jwtSvids.map((svid) => ({
      name: `jwt ${svid.fileName}`,
      run: (signal: AbortSignal) => files.keepSvid(svid, signal),
    })),
  ];
}
