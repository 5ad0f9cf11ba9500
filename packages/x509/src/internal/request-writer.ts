import { createPublicKey, type KeyObject } from "node:crypto";
import type { RequestOptions } from "../csr.ts";
import { explicit, integer, oid, sequence, set } from "../der-writer.ts";
import { X509Error } from "../error.ts";
import { encodeExtensions, extendedKeyUsage, keyUsage, subjectAltNames } from "../extension-writer.ts";
import { encodeName } from "../name-writer.ts";
import { encodeSigned } from "../signed-writer.ts";
import { alternativeNames } from "./certificate-writer.ts";
import { EXTENSION_REQUEST } from "./parsed-request.ts";

/** The DER of a PKCS#10 request signed by `key` (RFC 2986 4.1). */
export function writeRequest(key: KeyObject, options: RequestOptions): Uint8Array {
  if (key.type !== "private") throw new X509Error("ERR_X509_KEY", "a request is signed with a private key");
  const info = sequence(
    integer(0),
    encodeName(options.subject),
    new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" })),
    explicit(0, ...requestAttributes(options)),
  );
  return encodeSigned(info, key);
}

function requestAttributes(options: RequestOptions): Uint8Array[] {
  const names = alternativeNames(options);
  const extensions = [
    ...(options.keyUsage ? [keyUsage(options.keyUsage)] : []),
    ...(options.extendedKeyUsage ? [extendedKeyUsage(options.extendedKeyUsage)] : []),
    ...(names.length === 0 ? [] : [subjectAltNames(names, options.subject.trim() === "")]),
    ...(options.extraExtensions ?? []),
  ];
  if (extensions.length === 0) return [];
  return [sequence(oid(EXTENSION_REQUEST), set(encodeExtensions(extensions)))];
}
