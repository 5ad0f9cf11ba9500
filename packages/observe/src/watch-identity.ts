import { resolve } from "node:path";
import { type Logger, usageError } from "@newleaf/daemon";
import { type IdentitySource, type Refusal, RotationError, watchFiles } from "@newleaf/rotation";

export interface WatchIdentityOptions {
  /** Revocation lists beside a directory; the Workload API sends its own. */
  readonly crl?: string | undefined;
  /** Files may only change their names if told so; the Workload API decides who a workload is. */
  readonly allowIdentityChange?: boolean;
  /** For the first good identity: 60 s. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly onRefusal?: (refusal: Refusal) => void;
  /** As of `watchFiles`. */
  readonly persistent?: boolean;
}

/** What `--certs` takes, in its help. */
export const identityLocationHelp =
  "directory with tls.crt, tls.key and ca.crt, or the SPIFFE Workload API (unix:///path, tcp://IP:port)";

/**
 * A program's own identity from where its user says it is: a directory, or the address of the Workload API. The code
 * that speaks gRPC is loaded only for the latter.
 */
export async function watchIdentity(
  location: string,
  { crl, allowIdentityChange, waitMs = 60_000, ...options }: WatchIdentityOptions = {},
): Promise<IdentitySource> {
  if (!isWorkloadApi(location)) {
    return watchFiles({
      directory: location,
      ...(crl === undefined ? {} : { files: { crl: resolve(crl) } }),
      ...(allowIdentityChange === undefined ? {} : { allowIdentityChange }),
      firstTimeoutMs: waitMs,
      ...options,
    });
  }
  if (crl !== undefined) {
    throw usageError(
      "--crl has no use with the Workload API",
      "it sends revocation lists along with its bundles",
    );
  }
  const { SpiffeError, watchSpiffe } = await import("@newleaf/spiffe");
  const { persistent: _, ...rest } = options;
  try {
    return await watchSpiffe({ address: location, waitMs, ...rest });
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    if (cause.code === "ERR_SPIFFE_ADDRESS") throw usageError(cause.message);
    // As with files: whoever asks has one thing to look for.
    throw new RotationError("ERR_ROTATION_NO_IDENTITY", cause.message, { cause });
  }
}

export function isWorkloadApi(location: string): boolean {
  return /^(unix|tcp):/.test(location);
}
