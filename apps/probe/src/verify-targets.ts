import { stat } from "node:fs/promises";
import { join } from "node:path";
import { delay, failure, readBounded, usageError } from "@newleaf/daemon";
import {
  type Generation,
  type IdentitySource,
  isProved,
  RotationError,
  resolveTarget,
  type ServedReport,
  type ServedTarget,
  verifyServed,
} from "@newleaf/rotation";
import {
  type Certificate,
  createRoot,
  createTrustBundle,
  parseCertificates,
  type TrustBundle,
} from "@newleaf/x509";

export interface VerifyOptions {
  /** What should be served; without it there is nothing to compare with. */
  readonly source?: IdentitySource;
  /** Validates the served chain where there is no source, whose own trust does otherwise. */
  readonly trust?: TrustBundle;
  readonly servername?: string;
  /** For each handshake. */
  readonly timeoutMs: number;
  /** How long after an update the server may still serve the certificate before it. */
  readonly withinMs: number;
  readonly signal: AbortSignal;
}

/** One target at one moment. `stored` is the generation it was compared with. */
export interface VerifyResult {
  readonly report: ServedReport;
  readonly stored: Generation | undefined;
  readonly ok: boolean;
}

/**
 * Every address behind every target; a name that does not resolve is a target that cannot be reached. A target that
 * cannot be read is a usage error.
 */
export async function expandTargets(targets: readonly string[]): Promise<readonly (string | ServedTarget)[]> {
  const expanded = await Promise.all(
    targets.map((target) =>
      resolveTarget(target).catch((error: NodeJS.ErrnoException) => {
        if (error.syscall === "getaddrinfo") return [target];
        if (error instanceof RotationError && error.code === "ERR_ROTATION_OPTIONS") {
          throw usageError(error.message, "name host and port, such as backend:8443 or postgres://db");
        }
        throw error;
      }),
    ),
  );
  return expanded.flat();
}

/** Compares what is served with what is stored now, until it is equal or `withinMs` has passed. */
export async function verifyTarget(
  target: string | ServedTarget,
  options: VerifyOptions,
): Promise<VerifyResult> {
  const deadline = performance.now() + options.withinMs;
  for (;;) {
    const result = await verifyOnce(target, options);
    if (result.ok || performance.now() + RETRY_MS > deadline) return result;
    await delay(RETRY_MS, options.signal);
  }
}

const RETRY_MS = 50;

async function verifyOnce(target: string | ServedTarget, options: VerifyOptions): Promise<VerifyResult> {
  const { source, trust, servername, timeoutMs, signal } = options;
  const stored = source?.current();
  const report = await verifyServed(target, stored ?? somebody(), {
    ...(stored ? { client: stored } : {}),
    ...(trust ? { trust } : {}),
    ...(servername === undefined ? {} : { servername }),
    timeoutMs,
    signal,
  });
  const seen = report.verdict !== "unreachable" && report.trusted?.ok !== false;
  return { report, stored, ok: stored ? isProved(report) : seen };
}

let nobody: Certificate | undefined;

/** Stands for "nothing is expected": never equal to what anyone serves. */
function somebody(): Certificate {
  nobody ??= createRoot({
    subject: "CN=nothing stored",
    notAfter: new Date(Date.now() + 60_000),
  }).certificate;
  return nobody;
}

/** As large as a bundle may be that a program verifies its own peers to. */
const MAX_BUNDLE_BYTES = 1_048_576;

/** Reads a bundle from a file, or from `ca.crt` in a directory. */
export async function loadTrust(path: string): Promise<TrustBundle> {
  const directory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const file = directory ? join(path, "ca.crt") : path;
  const octets = await readBounded(file, MAX_BUNDLE_BYTES);
  if (octets === undefined) throw failure(`${file} has more than ${MAX_BUNDLE_BYTES} octets`);
  const certificates = parseCertificates(octets);
  if (certificates.length === 0) throw failure(`${file} holds no certificate`);
  return createTrustBundle(certificates);
}
