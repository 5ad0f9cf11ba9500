import { type DerCursor, type DerElement, TAG } from "./der.ts";
import { readBoolean, readOid } from "./der-values.ts";
import { X509Error, type X509ErrorCode } from "./error.ts";
import type { Warn } from "./warning.ts";

/** One extension as it stands in a certificate, request or list; `value` is the DER inside the OCTET STRING. */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** Object identifiers of the extensions this package reads or writes (RFC 5280 4.2 and 5.2). */
export const EXTENSION = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  crlNumber: "2.5.29.20",
  reasonCode: "2.5.29.21",
  invalidityDate: "2.5.29.24",
  deltaCrlIndicator: "2.5.29.27",
  issuingDistributionPoint: "2.5.29.28",
  certificateIssuer: "2.5.29.29",
  nameConstraints: "2.5.29.30",
  crlDistributionPoints: "2.5.29.31",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;

/** Octets in which the value of one extension lies: what its decoder needs to report absolute offsets. */
export interface RawExtension {
  readonly extension: Extension;
  readonly element: DerElement;
}

const MAX_EXTENSIONS = 64;

/** Decodes Extensions (RFC 5280 4.1): at most 64, none of them twice. */
export function decodeExtensions(cursor: DerCursor, code: X509ErrorCode, warn: Warn): RawExtension[] {
  const found: RawExtension[] = [];
  while (!cursor.done) {
    const next = decodeExtension(cursor.take(TAG.SEQUENCE, "extension"), warn);
    for (const { extension } of found) {
      if (extension.oid === next.extension.oid) {
        throw new X509Error(code, `extension ${extension.oid} appears twice`);
      }
    }
    found.push(next);
    if (found.length > MAX_EXTENSIONS) {
      throw new X509Error("ERR_X509_LIMIT", `more than ${MAX_EXTENSIONS} extensions`);
    }
  }
  return found;
}

function decodeExtension(sequence: DerElement, warn: Warn): RawExtension {
  const fields = sequence.children();
  const oid = readOid(fields.take(TAG.OID, "extension identifier"));
  const flag = fields.takeOptional(TAG.BOOLEAN);
  const critical = flag !== undefined && readBoolean(flag, warn);
  if (flag !== undefined && !critical) {
    warn("default_encoded", "critical FALSE is written although it is the default");
  }
  const element = fields.take(TAG.OCTET_STRING, "extension value");
  fields.finish("extension");
  return { extension: { oid, critical, value: element.content }, element };
}
