import type { Task } from "@newleaf/daemon";
import { createWorkloadApiClient } from "@newleaf/spiffe";
import { hasX509 } from "../config/files-config.ts";
import { type Helper, signalPidFile } from "./helper-parts.ts";
import { createJwtFiles } from "./jwt-files.ts";
import { createNotifier } from "./notifier.ts";

/** What keeps the JWT files current, and tells of them where that is wanted. None if there are no such files. */
export function jwtTasks(helper: Helper): readonly Task[] {
  const { config, logger, publisher, statuses, health } = helper;
  if (statuses.jwt.size === 0) return [];
  const notifiers = whoIsTold(helper).map((tell) => createNotifier(tell, logger));
  const client = createWorkloadApiClient({ address: config.agentAddress, logger });
  const files = createJwtFiles({
    config,
    client,
    publisher,
    statuses,
    logger,
    onWritten: () => {
      for (const notifier of notifiers) notifier.notify();
    },
  });
  health.addReadiness("jwt", () => files.check(new Date()));
  return [
    ...notifiers.map((notifier) => ({
      name: "jwt notifier",
      run: (signal: AbortSignal) => notifier.run(signal),
    })),
    ...(config.files.jwtBundle === undefined
      ? []
      : [{ name: "jwt bundles", run: (signal: AbortSignal) => files.watchBundles(signal) }]),
    ...config.jwtSvids.map((svid) => ({
      name: `jwt ${svid.fileName}`,
      run: (signal: AbortSignal) => files.keepSvid(svid, signal),
    })),
  ];
}

/**
 * With JWTs alone, a program starts once all files are there; with X.509 that is the affair of the first identity, and
 * may be about to happen. Later changes are told where the configuration says so.
 */
function whoIsTold({ config, statuses, supervisor }: Helper): readonly (() => Promise<void>)[] {
  const x509 = hasX509(config.files);
  const once = (tell: () => Promise<void>) => {
    let told = x509;
    return async () => {
      if (statuses.x509 === "unwritten" || [...statuses.jwt.values()].includes("unwritten")) return;
      if (told && !config.renewSignalOnJwt) return;
      await tell();
      told = true;
    };
  };
  return [
    ...(supervisor === undefined
      ? []
      : [once(async () => (!x509 || supervisor.running ? supervisor.renew() : undefined))]),
    ...(config.pidFile === undefined ? [] : [once(() => signalPidFile(config))]),
  ];
}
