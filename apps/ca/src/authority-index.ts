import { z } from "@newleaf/daemon";
import { CaError } from "./error.ts";

/** What the authority remembers of one certificate: enough to renew it, to revoke it and to list it. */
export interface IssuedCertificate {
  readonly name: string;
  /** Lower-case hex, as on the wire. */
  readonly serialNumber: string;
  readonly sha256: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly request: IdentityRequest;
  /** Where it was published, relative to the authority's directory. */
  readonly directory: string;
  readonly layout: "atomic" | "plain";
  readonly revoked?: { readonly at: string; readonly reason: RevocationReason } | undefined;
}

/** What a certificate is asked to say; kept so that a renewal says the same. */
export interface IdentityRequest {
  /** RFC 4514. */
  readonly subject: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly ips: readonly string[];
  readonly usage: "both" | "client" | "server";
  readonly durationMs: number;
  readonly algorithm: KeyAlgorithmName;
}

export interface AuthorityIndex {
  readonly version: 1;
  readonly name: string;
  /** Of the last revocation list. */
  readonly crlNumber: number;
  /** Oldest first. */
  readonly certificates: readonly IssuedCertificate[];
}

export const keyAlgorithms = [
  "ecdsa-p256",
  "ecdsa-p384",
  "rsa-2048",
  "rsa-3072",
  "rsa-4096",
  "ed25519",
] as const;
export type KeyAlgorithmName = (typeof keyAlgorithms)[number];

/** The reasons of RFC 5280 5.3.1 that make sense for a leaf. */
export const revocationReasons = [
  "unspecified",
  "keyCompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "privilegeWithdrawn",
] as const;
export type RevocationReason = (typeof revocationReasons)[number];

const names = z.array(z.string());
const instant = z.iso.datetime();
const schema: z.ZodType<AuthorityIndex> = z.object({
  version: z.literal(1),
  name: z.string(),
  crlNumber: z.number().int().nonnegative(),
  certificates: z.array(
    z.object({
      name: z.string(),
      serialNumber: z.string().regex(/^([0-9a-f]{2})+$/),
      sha256: z.string(),
      notBefore: instant,
      notAfter: instant,
      request: z.object({
        subject: z.string(),
        dnsNames: names,
        uris: names,
        ips: names,
        usage: z.enum(["both", "client", "server"]),
        durationMs: z.number().positive(),
        algorithm: z.enum(keyAlgorithms),
      }),
      directory: z.string(),
      layout: z.enum(["atomic", "plain"]),
      revoked: z.object({ at: instant, reason: z.enum(revocationReasons) }).optional(),
    }),
  ),
});

export function parseIndex(text: string, path: string): AuthorityIndex {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CaError(
      "ERR_CA_DAMAGED",
      `${path} is not an index that this version wrote; nothing was changed`,
      {
        hint: "restore it, or start a new authority with newleaf ca init --force",
        cause,
      },
    );
  }
}

export function formatIndex(index: AuthorityIndex): string {
  return `${JSON.stringify(index, null, 2)}\n`;
}

/** The newest certificate of a name. */
export function latestOf(index: AuthorityIndex, name: string): IssuedCertificate | undefined {
  return index.certificates.findLast((certificate) => certificate.name === name);
}

/** Adds a certificate and forgets what has expired, except the newest of each name, which can be renewed. */
export function withCertificate(index: AuthorityIndex, issued: IssuedCertificate, now: Date): AuthorityIndex {
  const others = index.certificates.filter(
    (certificate) =>
      Date.parse(certificate.notAfter) > now.getTime() ||
      (certificate.name !== issued.name && certificate === latestOf(index, certificate.name)),
  );
  return { ...index, certificates: [...others, issued] };
}

/** Marks certificates as revoked; those that already are keep their first date. */
export function withRevoked(
  index: AuthorityIndex,
  serialNumbers: ReadonlySet<string>,
  revoked: { readonly at: string; readonly reason: RevocationReason },
): AuthorityIndex {
  const certificates = index.certificates.map((certificate) =>
    serialNumbers.has(certificate.serialNumber) && certificate.revoked === undefined
      ? { ...certificate, revoked }
      : certificate,
  );
  return { ...index, certificates };
}
