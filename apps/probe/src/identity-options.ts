import type { Logger } from "@newleaf/daemon";
import { type IdentitySource, type Refusal, watchFiles } from "@newleaf/rotation";

/** The identity in a directory with the names that Kubernetes gives the files. */
export function watchCertificates(
  directory: string,
  options: {
    readonly signal: AbortSignal;
    readonly logger: Logger;
    readonly firstTimeoutMs?: number;
    readonly onRefusal?: (refusal: Refusal) => void;
  },
): Promise<IdentitySource> {
  return watchFiles({ directory, persistent: false, ...options, logger: quiet(options.logger) });
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
