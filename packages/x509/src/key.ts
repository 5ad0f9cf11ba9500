import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { readDer, TAG } from "./der.ts";
import { X509Error } from "./error.ts";
import { parsePem } from "./pem.ts";

const MAX_KEY_OCTETS = 64 * 1024;

/**
 * The one private key of a PEM text: PKCS#8, SEC1 (EC PARAMETERS may stand before it) or PKCS#1. Blocks of
 * other kinds are passed over; no key, two keys, an encrypted or a damaged one throw ERR_X509_KEY. Neither the
 * message nor the cause of an error holds anything of the key.
 */
export function parsePrivateKey(pem: string | Uint8Array): KeyObject {
  if (pem.length > MAX_KEY_OCTETS) {
    throw new X509Error("ERR_X509_LIMIT", `private key text of more than ${MAX_KEY_OCTETS} octets`);
  }
  const text = typeof pem === "string" ? pem : Buffer.from(pem).toString("latin1");
  if (/^Proc-Type:.*ENCRYPTED/m.test(text)) throw encrypted();
  const blocks = parsePem(text).filter(({ label }) => label.endsWith("PRIVATE KEY"));
  const [block, second] = blocks;
  if (block === undefined) throw new X509Error("ERR_X509_KEY", "no private key in the text");
  if (second !== undefined) throw new X509Error("ERR_X509_KEY", "more than one private key in the text");
  if (block.label === "ENCRYPTED PRIVATE KEY") throw encrypted();
  const type = KEY_FORMATS[block.label];
  if (type === undefined) throw new X509Error("ERR_X509_KEY", `cannot read a key of kind ${block.label}`);
  return importPrivateKey(block.der, type);
}

/** A PKCS#8 PrivateKeyInfo (RFC 5208 section 5) as DER, with the errors of `parsePrivateKey`. */
export function parsePkcs8(der: Uint8Array): KeyObject {
  if (der.length > MAX_KEY_OCTETS) {
    throw new X509Error("ERR_X509_LIMIT", `private key of more than ${MAX_KEY_OCTETS} octets`);
  }
  return importPrivateKey(der, "pkcs8");
}

/** Whether the private (or public) key is the one the certificate was made for. */
export function keyMatchesCertificate(key: KeyObject, certificate: Certificate): boolean {
  if (key.type === "secret") return false;
  const own = key.type === "private" ? createPublicKey(key) : key;
  // Keys of two kinds are not handed to `equals`: it leaves an error in OpenSSL's queue, over which the next import of
  // a key fails (Node 20 to 24).
  const certified = certificate.publicKey;
  return own.asymmetricKeyType === certified.asymmetricKeyType && own.equals(certified);
}

/** The key of a SubjectPublicKeyInfo (RFC 5280 4.1.2.7); ERR_X509_KEY when node:crypto cannot use it. */
export function importPublicKey(subjectPublicKeyInfo: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(subjectPublicKeyInfo), format: "der", type: "spki" });
  } catch (cause) {
    throw new X509Error("ERR_X509_KEY", "public key is damaged or of a kind that cannot be used", { cause });
  }
}

const KEY_FORMATS: Readonly<Record<string, "pkcs8" | "sec1" | "pkcs1">> = {
  "PRIVATE KEY": "pkcs8",
  "EC PRIVATE KEY": "sec1",
  "RSA PRIVATE KEY": "pkcs1",
};

function importPrivateKey(der: Uint8Array, type: "pkcs8" | "sec1" | "pkcs1"): KeyObject {
  try {
    // OpenSSL would overlook octets after the key.
    readDer(der, TAG.SEQUENCE, "private key");
    return createPrivateKey({ key: Buffer.from(der), format: "der", type });
  } catch {
    // No cause: what is said about a damaged key may quote it.
    throw new X509Error("ERR_X509_KEY", "private key is damaged or of a kind that cannot be used");
  }
}

function encrypted(): X509Error {
  return new X509Error("ERR_X509_KEY", "private key is encrypted; only plain keys can be read");
}
