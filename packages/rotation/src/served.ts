import { type Certificate, type PathResult, type TrustBundle, validatePath, X509Error } from "@newleaf/x509";
import { type Clock, systemClock } from "./clock.ts";
import { type Generation, identityOf } from "./generation.ts";
import { backoffMs } from "./internal/backoff.ts";
import { delay, withDeadline } from "./internal/deadline.ts";
import { type Handshake, observeHandshake } from "./internal/observe-handshake.ts";
import { parseTarget, type ServedTarget } from "./internal/served-target.ts";

export { parseTarget, resolveTarget, type ServedTarget } from "./internal/served-target.ts";

/**
 * What a handshake showed, compared with what was expected:
 * - `equal`: the same leaf, octet for octet
 * - `older`, `newer`: another leaf of the same identity (first URI, DNS or IP name, else common name), ordered by
 *   notBefore, then notAfter; older when both are equal, for serial numbers are random and have no order
 * - `foreign`: a leaf of another identity, or one that cannot be read
 * - `unreachable`: no leaf was seen before the deadline
 */
export type ServedVerdict = "equal" | "older" | "newer" | "foreign" | "unreachable";

/** One target's answer. `trusted` is our own path validation of the chain exactly as it was sent. */
export interface ServedReport {
  readonly target: string;
  readonly verdict: ServedVerdict;
  readonly served?: {
    readonly leaf: Certificate;
    /** Intermediates as sent, in the order sent. */
    readonly chain: readonly Certificate[];
    /** "TLSv1.3" or "TLSv1.2". */
    readonly protocol: string;
  };
  readonly trusted?: PathResult;
  readonly message?: string;
  readonly durationMs: number;
}

export interface VerifyServedOptions {
  /** Presented to servers that ask for a certificate. */
  readonly client?: Generation;
  /** Validate the served chain to this; by default to the trust of an expected generation. */
  readonly trust?: TrustBundle;
  /** SNI instead of the target's host name. */
  readonly servername?: string;
  /** For connection and handshake together: 5 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/**
 * Opens one real handshake and compares what is served with what is expected. Works without a client certificate
 * even where the server demands one, TLS 1.3 or 1.2. Rejects only for a target that cannot be read or when the
 * signal aborts; everything that can happen on the network is a verdict.
 */
export async function verifyServed(
  target: string | ServedTarget,
  expected: Certificate | Generation,
  options: VerifyServedOptions = {},
): Promise<ServedReport> {
  const { client, servername, clock = systemClock, timeoutMs = 5_000 } = options;
  const parsed = typeof target === "string" ? parseTarget(target) : target;
  const parent = options.signal ?? new AbortController().signal;
  const started = performance.now();
  try {
    const handshake = await withDeadline(clock, timeoutMs, parent, (signal) =>
      observeHandshake(parsed, { client, servername, signal }),
    );
    return compare(parsed, handshake, expected, options, new Date(clock.now()));
  } catch (error) {
    parent.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    // A certificate was shown, but it cannot be parsed: somebody is there, and it is not us.
    const verdict = error instanceof X509Error ? "foreign" : "unreachable";
    return { target: parsed.name, verdict, message, durationMs: performance.now() - started };
  }
}

/** Equal, and trusted where trust was checked. */
export function isProved(report: ServedReport): boolean {
  return report.verdict === "equal" && report.trusted?.ok !== false;
}

export interface ProveServedOptions extends VerifyServedOptions {
  /** How long to go on asking until every target is proved: 10 s. */
  readonly withinMs?: number;
}

/** Asks every target, again and again where it is not proved yet, and resolves with the last answer of each. */
export async function proveServed(
  targets: readonly (string | ServedTarget)[],
  expected: Certificate | Generation,
  options: ProveServedOptions = {},
): Promise<readonly ServedReport[]> {
  const { clock = systemClock, withinMs = 10_000 } = options;
  const signal = options.signal ?? new AbortController().signal;
  const deadline = clock.now() + withinMs;
  return Promise.all(
    targets.map(async (target) => {
      for (let attempts = 1; ; attempts++) {
        const report = await verifyServed(target, expected, options);
        const wait = backoffMs(attempts, 25, 1_000);
        if (isProved(report) || clock.now() + wait > deadline) return report;
        await delay(clock, wait, signal);
      }
    }),
  );
}

function compare(
  target: ServedTarget,
  handshake: Handshake,
  expected: Certificate | Generation,
  options: VerifyServedOptions,
  now: Date,
): ServedReport {
  const { leaf, chain, protocol, durationMs } = handshake;
  const generation = "leaf" in expected ? expected : undefined;
  const verdict = compareLeaves(leaf, "leaf" in expected ? expected.leaf : expected);
  const trust = options.trust ?? generation?.trust;
  const crls = generation && generation.crls.length > 0 ? { crls: generation.crls } : {};
  const message = remark(verdict, handshake, generation);
  return {
    target: target.name,
    verdict,
    served: { leaf, chain, protocol },
    ...(trust
      ? { trusted: validatePath(leaf, trust, { now, purpose: "serverAuth", intermediates: chain, ...crls }) }
      : {}),
    ...(message ? { message } : {}),
    durationMs,
  };
}

function compareLeaves(served: Certificate, expected: Certificate): ServedVerdict {
  if (served.sha256 === expected.sha256) return "equal";
  if (identityOf(served) !== identityOf(expected)) return "foreign";
  const order =
    served.notBefore.getTime() - expected.notBefore.getTime() ||
    served.notAfter.getTime() - expected.notAfter.getTime();
  return order > 0 ? "newer" : "older";
}

function remark(verdict: ServedVerdict, handshake: Handshake, expected: Generation | undefined): string {
  const remarks: string[] = [];
  if (verdict === "foreign") remarks.push(`it serves ${identityOf(handshake.leaf)}`);
  if (verdict === "equal" && expected) {
    const sent = new Set(handshake.chain.map((certificate) => certificate.sha256));
    const missing = expected.chain.filter((certificate) => !sent.has(certificate.sha256)).length;
    if (missing > 0) remarks.push(`${missing} of ${expected.chain.length} intermediates are not sent`);
  }
  if (handshake.refusal) remarks.push(`the server then refused the client: ${handshake.refusal}`);
  return remarks.join("; ");
}
