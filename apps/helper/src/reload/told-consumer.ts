import type { Logger } from "@newleaf/daemon";
import { type Consumer, type Generation, isProved, proveServed, type ServedReport } from "@newleaf/rotation";
import { createTrustBundle } from "@newleaf/x509";
import type { ReloadConfig, VerifyConfig } from "../config/reload-config.ts";
import { act } from "./act.ts";

/** Waits until the files of a generation are on disk. */
export type WrittenGate = (generation: Generation, signal: AbortSignal) => Promise<void>;

/**
 * Somebody to be told once the files are written. Telling is part of the proof, not of loading: what is on disk is
 * loaded, and stays so whether or not the process can be told; telling is repeated until it succeeds.
 */
export function createToldConsumer(
  name: string,
  written: WrittenGate,
  tell: (generation: Generation, signal: AbortSignal) => Promise<readonly ServedReport[]>,
): Consumer {
  return { name, load: written, prove: tell };
}

export interface ReloadHooks {
  readonly logger: Logger;
  /** The files hold the leaf alone: whoever verifies it has the intermediates in the bundle. */
  readonly intermediatesInBundle: boolean;
  /** After every attempt: whether the process could be told, and what its target then showed. */
  readonly onAttempt: (name: string, error: string | undefined, reports: readonly ServedReport[]) => void;
}

/** A `reload` block: the action, then the handshake that shows whether it worked. */
export function createReloadConsumer(
  { name, action, timeoutMs, verify }: ReloadConfig,
  written: WrittenGate,
  { logger, intermediatesInBundle, onAttempt }: ReloadHooks,
): Consumer {
  return createToldConsumer(name, written, async (generation, signal) => {
    // Nothing is served of an identity that was taken away.
    if (generation.withdrawn !== undefined) return [];
    try {
      await act(action, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    } catch (error) {
      signal.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      onAttempt(name, message, []);
      logger.warn({ reload: name, error: message }, "reload failed");
      throw error;
    }
    const reports = verify === undefined ? [] : await look(verify, generation, intermediatesInBundle, signal);
    onAttempt(name, undefined, reports);
    for (const report of reports) say(logger, name, report);
    return reports;
  });
}

function look(
  verify: VerifyConfig,
  generation: Generation,
  intermediatesInBundle: boolean,
  signal: AbortSignal,
): Promise<readonly ServedReport[]> {
  const { target, serverName, timeoutMs, clientCertificate } = verify;
  return proveServed([target], generation, {
    signal,
    withinMs: timeoutMs,
    ...(intermediatesInBundle
      ? { trust: createTrustBundle([...generation.trust.certificates, ...generation.chain]) }
      : {}),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(clientCertificate ? { client: generation } : {}),
  });
}

function say(logger: Logger, reload: string, report: ServedReport): void {
  const { target, verdict, served, trusted, message } = report;
  const fields = {
    reload,
    target,
    verdict,
    ...(served === undefined
      ? {}
      : { served: served.leaf.serialNumber, servedUntil: served.leaf.notAfter.toISOString() }),
    ...(trusted?.ok === false ? { untrusted: trusted.message } : {}),
    ...(message === undefined ? {} : { reason: message }),
  };
  if (isProved(report)) logger.info(fields, "the new certificate is served");
  else logger.error(fields, "the new certificate is not served");
}
