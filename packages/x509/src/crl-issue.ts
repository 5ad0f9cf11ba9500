import { Buffer } from "node:buffer";
import { type CertificateRevocationList, parseCrl, type RevocationReason } from "./crl.ts";
import { TAG } from "./der.ts";
import { encode, enumerated, explicit, integer, sequence, time } from "./der-writer.ts";
import { X509Error } from "./error.ts";
import { EXTENSION, type Extension } from "./extension.ts";
import { authorityKeyIdentifier, encodeExtensions } from "./extension-writer.ts";
import { REVOCATION_REASONS } from "./internal/revocation-reason.ts";
import type { Authority } from "./issue.ts";
import { keyIdentifierOf } from "./key-identifier.ts";
import { encodeSignatureAlgorithm, encodeSigned } from "./signed-writer.ts";

/** One certificate to list: the serial number in hex as `Certificate.serialNumber` has it. */
export interface RevokedCertificate {
  readonly serialNumber: string;
  readonly date: Date;
  readonly reason?: RevocationReason;
}

/** What to put into a revocation list. */
export interface IssueCrlOptions {
  readonly revoked: readonly RevokedCertificate[];
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** The CRL number: one more with every list of an authority (RFC 5280 5.2.3). */
  readonly number: number | bigint;
}

/** A version 2 list of all certificates `authority` has revoked, with authority key identifier and CRL number. */
export function issueCrl(authority: Authority, options: IssueCrlOptions): CertificateRevocationList {
  const { certificate, key } = authority;
  const { revoked, thisUpdate, nextUpdate, number } = options;
  if (!(thisUpdate.getTime() <= nextUpdate.getTime())) {
    throw new X509Error("ERR_X509_ISSUE", "nextUpdate is before thisUpdate, or one of them is no date");
  }
  const keyIdentifier = certificate.subjectKeyIdentifier ?? keyIdentifierOf(certificate.subjectPublicKeyInfo);
  const numbered: Extension = { oid: EXTENSION.crlNumber, critical: false, value: integer(number) };
  const tbs = sequence(
    integer(1),
    encodeSignatureAlgorithm(key),
    certificate.subject.der,
    time(thisUpdate),
    time(nextUpdate),
    // The list of entries is left out when there are none (RFC 5280 5.1.2.6).
    ...(revoked.length === 0 ? [] : [encode(TAG.SEQUENCE, revoked.map(encodeEntry))]),
    explicit(0, encodeExtensions([authorityKeyIdentifier(keyIdentifier), numbered])),
  );
  return parseCrl(encodeSigned(tbs, key));
}

/** "unspecified" is expressed by leaving the reason out (RFC 5280 5.3.1). */
function encodeEntry({ serialNumber, date, reason }: RevokedCertificate): Uint8Array {
  const code = REVOCATION_REASONS.indexOf(reason);
  if (reason !== undefined && code === -1) {
    throw new X509Error("ERR_X509_ISSUE", `unknown revocation reason "${reason}"`);
  }
  const extensions =
    reason === undefined || reason === "unspecified"
      ? []
      : [encodeExtensions([{ oid: EXTENSION.reasonCode, critical: false, value: enumerated(code) }])];
  if (!/^[0-9a-f]{1,128}$/i.test(serialNumber)) {
    throw new X509Error("ERR_X509_ISSUE", "serial number to revoke is not hex");
  }
  // Read as unsigned: other tools print serial numbers without the leading zero octet.
  const octets = Buffer.from(serialNumber.padStart(128, "0"), "hex");
  return sequence(integer(octets), time(date), ...extensions);
}
