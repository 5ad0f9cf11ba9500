import { hash } from "node:crypto";
import { readDer, TAG } from "./der.ts";
import { readBitStringOctets } from "./der-values.ts";

/**
 * The key identifier of a SubjectPublicKeyInfo in hex: SHA-1 over the bits of the key (RFC 5280 4.2.1.2, method
 * 1, as OpenSSL has it). It is a name for the key, not a protection, so SHA-1 does no harm.
 */
export function keyIdentifierOf(subjectPublicKeyInfo: Uint8Array): string {
  const fields = readDer(subjectPublicKeyInfo, TAG.SEQUENCE, "public key").children();
  fields.take(TAG.SEQUENCE, "public key algorithm");
  return hash("sha1", readBitStringOctets(fields.take(TAG.BIT_STRING, "public key bits")), "hex");
}
