import { type Logger, systemClock } from "@newleaf/daemon";
import { createWorkloadApiClient } from "@newleaf/spiffe";
import type { HelperConfig } from "../config/config.ts";
import { hasX509 } from "../config/files-config.ts";
import { HelperError } from "../error.ts";
import { renderX509 } from "../write/render-x509.ts";
import { publisherOf } from "./helper-parts.ts";
import { createJwtFiles } from "./jwt-files.ts";
import { persist } from "./persist.ts";
import { createWriteStatuses } from "./write-statuses.ts";
import { watchIdentity } from "./x509-source.ts";

/** `daemon_mode = false`: writes everything once and returns, trying for `fetch_timeout` before it gives up. */
export async function runOnce(config: HelperConfig, logger: Logger, signal: AbortSignal): Promise<void> {
  const statuses = createWriteStatuses(hasX509(config.files), []);
  const publisher = publisherOf(config);
  const timeout = new AbortController();
  // A little later than the wait for an identity, whose error says more.
  const timer = systemClock.setTimeout(() => timeout.abort(), config.fetchTimeoutMs + 100);
  const both = AbortSignal.any([signal, timeout.signal]);
  let last: unknown;
  const onFailure = (error: unknown): void => {
    last = error;
    logger.warn(
      { error: error instanceof Error ? error.message : String(error) },
      "not written, trying again",
    );
  };
  const retry = { signal: both, onFailure, baseMs: 200, maxMs: 5_000 };

  const writeX509 = async (): Promise<void> => {
    await using source = await watchIdentity(config, {
      logger,
      statuses,
      signal: both,
      waitMs: config.fetchTimeoutMs,
    });
    await persist(async () => {
      const files = renderX509(source.svid(), source.context().bundles, config.files, new Date());
      await publisher.publish("x509", files);
    }, retry);
    const { identity, notAfter } = source.current();
    logger.info({ identity, notAfter }, "X.509 files written");
  };
  const client = createWorkloadApiClient({ address: config.agentAddress, logger });
  const jwt = createJwtFiles({ config, client, publisher, statuses, logger, onWritten: () => {} });
  const writes = [...(hasX509(config.files) ? [writeX509()] : []), jwt.writeOnce(both)];
  try {
    await Promise.all(writes);
  } catch (error) {
    signal.throwIfAborted();
    const cause = timeout.signal.aborted && error === timeout.signal.reason ? (last ?? error) : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    // More time mends no directory, and the agent knows nothing of it.
    const { code, hint } = cause instanceof HelperError ? cause : noIdentity;
    throw new HelperError(code, `not everything could be written in time: ${why}`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  } finally {
    timer.cancel();
    timeout.abort();
    await Promise.allSettled(writes);
  }
}

const noIdentity = {
  code: "ERR_HELPER_NO_IDENTITY",
  hint: "give more time with fetch_timeout, or look at what the agent says",
} as const;
