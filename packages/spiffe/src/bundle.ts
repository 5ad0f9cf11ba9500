import type { KeyObject } from "node:crypto";
import {
  type Certificate,
  createTrustBundle,
  parseCertificate,
  type TrustBundle,
  X509Error,
} from "@newleaf/x509";
import { jsonMemberSource } from "./internal/json-member-source.ts";
import { exportJwk, type UntrustedJwk } from "./internal/jwk.ts";
import { badBundle, type JwkSet, readJwkSet } from "./internal/jwk-set.ts";
import { readJwtAuthorities } from "./jwt-bundle.ts";
import { asTrustDomain, type TrustDomain } from "./spiffe-id.ts";

/** All authorities of a trust domain (SPIFFE Trust Domain and Bundle section 3). Frozen. */
export interface SpiffeBundle {
  readonly trustDomain: TrustDomain;
  /** Empty: no X.509-SVID is trusted. */
  readonly x509Authorities: TrustBundle;
  /** Public keys by key ID. Empty: no JWT-SVID is trusted. */
  readonly jwtAuthorities: ReadonlyMap<string, KeyObject>;
  /** Grows with each change; up to 64 bits. */
  readonly sequence: bigint | undefined;
  /** How often to look for a change; undefined where the publisher does not say, and consumers take five minutes. */
  readonly refreshHintSeconds: number | undefined;
}

/**
 * A SPIFFE bundle document (SPIFFE Trust Domain and Bundle section 4). The document does not say whose it is, so the
 * caller does. Entries of unknown `kty` or `use`, or without them, are passed over, as the standard demands; damage in
 * others throws ERR_SPIFFE_BUNDLE, so that no authority is lost silently. No keys at all means: distrust everyone.
 */
export function parseSpiffeBundle(
  trustDomain: TrustDomain | string,
  json: string | Uint8Array,
): SpiffeBundle {
  const domain = asTrustDomain(trustDomain);
  const what = `bundle of ${domain}`;
  const set = readJwkSet(json, what);
  const used = (use: string) => set.keys.filter((jwk) => jwk.use === use);
  return Object.freeze({
    trustDomain: domain,
    x509Authorities: createTrustBundle(used("x509-svid").flatMap((jwk) => readX509Authority(jwk, what))),
    jwtAuthorities: readJwtAuthorities(used("jwt-svid"), what),
    sequence: readSequence(set, what),
    refreshHintSeconds: readRefreshHint(set, what),
  });
}

/** The bundle as a document that `parseSpiffeBundle` reads back as it was. */
export function formatSpiffeBundle(bundle: SpiffeBundle): string {
  const { x509Authorities, jwtAuthorities, sequence, refreshHintSeconds } = bundle;
  const keys = [
    ...x509Authorities.certificates.map((certificate) => ({
      ...exportJwk(certificate.publicKey),
      use: "x509-svid",
      x5c: [Buffer.from(certificate.der).toString("base64")],
    })),
    ...[...jwtAuthorities].map(([kid, key]) => ({ ...exportJwk(key), kid, use: "jwt-svid" })),
  ];
  const members = [
    `"keys":${JSON.stringify(keys)}`,
    // As text: JSON.stringify cannot write integers of this size.
    ...(sequence === undefined ? [] : [`"spiffe_sequence":${sequence}`]),
    ...(refreshHintSeconds === undefined ? [] : [`"spiffe_refresh_hint":${refreshHintSeconds}`]),
  ];
  return `{${members.join(",")}}`;
}

const X509_KEY_TYPES: ReadonlySet<unknown> = new Set(["RSA", "EC", "OKP"]);

/** X509-SVID section 6.2: the certificate counts, not the key beside it, and only the first one. */
function readX509Authority({ kty, x5c }: UntrustedJwk, what: string): readonly Certificate[] {
  if (!X509_KEY_TYPES.has(kty) || x5c === undefined) return [];
  if (!Array.isArray(x5c)) throw badBundle(`${what}: "x5c" is not a list`);
  const [first] = x5c;
  if (first === undefined) return [];
  if (typeof first !== "string" || !BASE64.test(first))
    throw badBundle(`${what}: "x5c" does not hold base64`);
  try {
    return [parseCertificate(Buffer.from(first, "base64"))];
  } catch (cause) {
    if (!(cause instanceof X509Error)) throw cause;
    throw badBundle(`${what}: an authority's certificate cannot be read: ${cause.message}`, { cause });
  }
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const MAX_SEQUENCE = 2n ** 64n - 1n;

function readSequence({ document, text }: JwkSet, what: string): bigint | undefined {
  if (document.spiffe_sequence === undefined || document.spiffe_sequence === null) return undefined;
  const source = jsonMemberSource(text, "spiffe_sequence");
  if (source !== undefined && /^\d{1,20}$/.test(source) && BigInt(source) <= MAX_SEQUENCE)
    return BigInt(source);
  throw badBundle(`${what}: "spiffe_sequence" is not an integer of 64 bits`);
}

function readRefreshHint({ document }: JwkSet, what: string): number | undefined {
  const hint = document.spiffe_refresh_hint;
  if (hint === undefined || hint === null) return undefined;
  if (typeof hint === "number" && Number.isSafeInteger(hint) && hint >= 0) return hint;
  throw badBundle(`${what}: "spiffe_refresh_hint" is not a number of seconds`);
}
