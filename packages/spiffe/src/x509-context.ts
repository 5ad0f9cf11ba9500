import { X509BundlesResponseSchema, type X509SVID, X509SVIDResponseSchema } from "@newleaf/proto";
import {
  type CertificateRevocationList,
  createTrustBundle,
  parseCrl,
  type TrustBundle,
  X509Error,
} from "@newleaf/x509";
import { SpiffeError } from "./error.ts";
import { decodeMessage } from "./internal/decode-message.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { parseX509Authorities, type X509Bundles } from "./x509-bundle.ts";
import { parseX509Svid, type X509Svid } from "./x509-svid.ts";

/** All that the Workload API says about X.509 at one moment (SPIFFE Workload API section 5.2.1). Frozen. */
export interface X509Context {
  /** The default identity first. Empty when all were taken away. */
  readonly svids: readonly X509Svid[];
  readonly bundles: X509Bundles;
  readonly crls: readonly CertificateRevocationList[];
  /** What could not be used and is left out, in sentences: second SVIDs of a hint, unreadable federated bundles. */
  readonly warnings: readonly string[];
}

/** The bundles alone, for who has no identity (SPIFFE Workload API section 5.2.2). Frozen. */
export type X509BundleContext = Omit<X509Context, "svids">;

export interface WorkloadLimits {
  readonly maxSvids: number;
  readonly maxBundles: number;
}

/**
 * Reads a message of FetchX509SVID. Throws SpiffeError if the message must be discarded: a mandatory field is empty
 * (section 4.5), an SVID, its bundle or a revocation list cannot be read, or there are too many. A message without any
 * SVID is none of these: it takes all of them away (section 4.4).
 */
export function readX509Context(octets: Uint8Array, limits: WorkloadLimits): X509Context {
  const message = decodeMessage(X509SVIDResponseSchema, octets);
  const federated = Object.entries(message.federatedBundles);
  atMost(limits.maxSvids, message.svids.length, "SVIDs");
  atMost(limits.maxBundles, federated.length, "bundles");
  const warnings: string[] = [];
  const svids = firstOfEachHint(message.svids, warnings).map(readSvid);
  const bundles = new Map<string, TrustBundle>();
  for (const { svid, bundle } of svids) {
    const { name } = svid.id.trustDomain;
    if (!bundles.has(name)) bundles.set(name, bundle);
  }
  addBundles(bundles, federated, warnings);
  return Object.freeze({
    svids: Object.freeze(svids.map(({ svid }) => svid)),
    bundles,
    crls: readCrls(message.crl),
    warnings: Object.freeze(warnings),
  });
}

/** Reads a message of FetchX509Bundles. One without any bundle takes all of them away. */
export function readX509Bundles(octets: Uint8Array, limits: WorkloadLimits): X509BundleContext {
  const message = decodeMessage(X509BundlesResponseSchema, octets);
  const entries = Object.entries(message.bundles);
  atMost(limits.maxBundles, entries.length, "bundles");
  const warnings: string[] = [];
  const bundles = new Map<string, TrustBundle>();
  addBundles(bundles, entries, warnings);
  return Object.freeze({ bundles, crls: readCrls(message.crl), warnings: Object.freeze(warnings) });
}

/** Of the entries with the same hint only the first counts (sections 5.2.1 and 6.2.1). */
export function firstOfEachHint<T extends { readonly spiffeId: string; readonly hint: string }>(
  entries: readonly T[],
  warnings: string[],
): readonly T[] {
  const seen = new Set<string>();
  return entries.filter(({ spiffeId, hint }) => {
    if (hint === "" || !seen.has(hint)) {
      seen.add(hint);
      return true;
    }
    warnings.push(`${JSON.stringify(spiffeId)} repeats the hint ${JSON.stringify(hint)} and is left out`);
    return false;
  });
}

/** Throws if there are more of these in one message than the client was made for. */
export function atMost(limit: number, count: number, what: string): void {
  if (count > limit) throw unusable(`${count} ${what}, and at most ${limit} are taken`);
}

function unusable(why: string): SpiffeError {
  return new SpiffeError("ERR_SPIFFE_WORKLOAD_API", `the Workload API's message is discarded: ${why}`);
}

function readSvid({ spiffeId, x509Svid, x509SvidKey, bundle, hint }: X509SVID): {
  svid: X509Svid;
  bundle: TrustBundle;
} {
  if (spiffeId === "") throw unusable("an SVID without its SPIFFE ID");
  if (x509Svid.length === 0) throw unusable(`${JSON.stringify(spiffeId)} has no certificate`);
  if (x509SvidKey.length === 0) throw unusable(`${JSON.stringify(spiffeId)} has no key`);
  if (bundle.length === 0) throw unusable(`${JSON.stringify(spiffeId)} has no bundle`);
  const svid = parseX509Svid({ certificates: x509Svid, key: x509SvidKey, hint, id: spiffeId });
  return { svid, bundle: createTrustBundle(parseX509Authorities(bundle)) };
}

// A foreign authority that cannot be read must not keep our own SVID from being renewed: its members are refused.
function addBundles(
  bundles: Map<string, TrustBundle>,
  entries: readonly (readonly [trustDomain: string, der: Uint8Array])[],
  warnings: string[],
): void {
  for (const [trustDomain, der] of entries) {
    try {
      const { name } = parseTrustDomain(trustDomain);
      if (bundles.has(name)) continue;
      bundles.set(name, createTrustBundle([]));
      bundles.set(name, createTrustBundle(parseX509Authorities(der)));
    } catch (error) {
      if (!(error instanceof SpiffeError)) throw error;
      const whose = JSON.stringify(trustDomain.slice(0, 300));
      warnings.push(`nobody of ${whose} is trusted, since its bundle cannot be read: ${error.message}`);
    }
  }
}

function readCrls(lists: readonly Uint8Array[]): readonly CertificateRevocationList[] {
  try {
    return Object.freeze(lists.map((der) => parseCrl(der)));
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    throw unusable(`a revocation list cannot be read: ${error.message}`);
  }
}
