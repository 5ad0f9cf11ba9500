import type { Logger } from "@newleaf/daemon";
import type { Refusal } from "@newleaf/rotation";
import { watchSpiffe, type X509Source, type X509Svid } from "@newleaf/spiffe";
import type { HelperConfig } from "../config/config.ts";
import type { WriteStatuses } from "./write-statuses.ts";

/** The identity that is to be written: the one with the hint, without what has expired if so configured. */
export function watchIdentity(
  config: HelperConfig,
  options: {
    readonly logger: Logger;
    readonly statuses: WriteStatuses;
    readonly signal: AbortSignal;
    readonly waitMs: number;
    readonly onRefusal?: (refusal: Refusal) => void;
  },
): Promise<X509Source> {
  const { logger, statuses, ...rest } = options;
  return watchSpiffe({
    ...rest,
    address: config.agentAddress,
    logger,
    pick: (svids) => {
      const found = config.hint === "" ? svids[0] : svids.find(({ hint }) => hint === config.hint);
      if (found !== undefined) return config.files.omitExpired ? withoutExpired(found, new Date()) : found;
      // As spiffe-helper has it, a hint that nothing matches is a failed write; having no SVID at all is not.
      if (svids.length > 0) {
        statuses.x509 = "failed";
        logger.error({ hint: config.hint, hints: svids.map(({ hint }) => hint) }, "no SVID has the hint");
      }
      return undefined;
    },
  });
}

function withoutExpired(svid: X509Svid, now: Date): X509Svid {
  const [leaf, ...intermediates] = svid.certificates;
  if (leaf === undefined) return svid;
  const certificates = [leaf, ...intermediates.filter(({ notAfter }) => notAfter >= now)];
  return { ...svid, certificates };
}
