import type { Logger } from "@newleaf/daemon";
import { watchIdentity } from "@newleaf/observe";
import type { IdentitySource, Refusal } from "@newleaf/rotation";

/** The identity in a directory with the names that Kubernetes gives the files, or of the Workload API. */
export function watchCertificates(
  location: string,
  options: {
    readonly signal: AbortSignal;
    readonly logger: Logger;
    readonly waitMs?: number;
    readonly onRefusal?: (refusal: Refusal) => void;
  },
): Promise<IdentitySource> {
  return watchIdentity(location, { persistent: false, ...options, logger: quiet(options.logger) });
}

/** What goes well is in the output of these commands already. */
function quiet(logger: Logger): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.debug(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
