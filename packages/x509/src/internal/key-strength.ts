import { readDer, TAG } from "../der.ts";
import { readBitStringOctets, readOid } from "../der-values.ts";
import { X509Error } from "../error.ts";

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const MAX_RSA_EXPONENT_BITS = 33;

/** Curves TLS 1.3 has signature schemes for (RFC 8446 4.2.3, RFC 8734). */
const CURVES: ReadonlySet<string> = new Set([
  "1.2.840.10045.3.1.7", // P-256
  "1.3.132.0.34", // P-384
  "1.3.132.0.35", // P-521
  "1.3.36.3.3.2.8.1.1.7", // brainpoolP256r1
  "1.3.36.3.3.2.8.1.1.11", // brainpoolP384r1
  "1.3.36.3.3.2.8.1.1.13", // brainpoolP512r1
]);

/** What is wrong with a key; checking one signature by a costly one takes milliseconds, so nobody should. */
export interface KeyWeakness {
  readonly message: string;
  readonly costly: boolean;
}

/**
 * What makes a public key unacceptable, or undefined. The bar is OpenSSL's security level 2 (112 bits) narrowed
 * to what TLS 1.3 can use. Read from the SPKI itself: building a KeyObject costs more than a signature check.
 * Upper bounds on RSA keep a hostile chain from buying seconds of CPU with one certificate.
 */
export function keyWeakness(subjectPublicKeyInfo: Uint8Array): KeyWeakness | undefined {
  try {
    return spkiWeakness(subjectPublicKeyInfo);
  } catch (error) {
    if (error instanceof X509Error) return weak(`public key is damaged: ${error.message}`);
    throw error;
  }
}

function spkiWeakness(subjectPublicKeyInfo: Uint8Array): KeyWeakness | undefined {
  const spki = readDer(subjectPublicKeyInfo, TAG.SEQUENCE, "public key").children();
  const algorithm = spki.take(TAG.SEQUENCE, "public key algorithm").children();
  const oid = readOid(algorithm.take(TAG.OID, "public key algorithm"));
  switch (oid) {
    case "1.3.101.112": // Ed25519
    case "1.3.101.113": // Ed448
      return undefined;
    case "1.2.840.10045.2.1": {
      // Explicit parameters allow a generator of the signer's choice (CVE-2020-0601); RFC 5480 2.1.1 forbids them.
      if (algorithm.peek() !== TAG.OID) return weak("elliptic curve is given by explicit parameters");
      const curve = readOid(algorithm.take(TAG.OID, "curve"));
      return CURVES.has(curve) ? undefined : weak(`elliptic curve ${curve} is not used by TLS 1.3`);
    }
    case "1.2.840.113549.1.1.1": // rsaEncryption
    case "1.2.840.113549.1.1.10": // RSASSA-PSS
      return rsaWeakness(readBitStringOctets(spki.take(TAG.BIT_STRING, "RSA public key")));
    default:
      return weak(`public key algorithm ${oid} is not used by TLS 1.3`);
  }
}

function rsaWeakness(rsaPublicKey: Uint8Array): KeyWeakness | undefined {
  const numbers = readDer(rsaPublicKey, TAG.SEQUENCE, "RSA public key").children();
  const modulusBits = bitLength(numbers.take(TAG.INTEGER, "RSA modulus").content);
  const exponent = numbers.take(TAG.INTEGER, "RSA exponent").content;
  const exponentBits = bitLength(exponent);
  if (modulusBits > MAX_RSA_BITS || exponentBits > MAX_RSA_EXPONENT_BITS) {
    return {
      message: `RSA key of ${modulusBits} bits with an exponent of ${exponentBits} bits`,
      costly: true,
    };
  }
  if (modulusBits < MIN_RSA_BITS) {
    return weak(`RSA key of ${modulusBits} bits, at least ${MIN_RSA_BITS} are needed`);
  }
  const odd = ((exponent[exponent.length - 1] ?? 0) & 1) === 1;
  return odd && exponentBits > 1 ? undefined : weak("RSA exponent is even or 1");
}

function weak(message: string): KeyWeakness {
  return { message, costly: false };
}

/** Bits of a non-negative big-endian number; 0 for a negative one. */
function bitLength(octets: Uint8Array): number {
  let start = 0;
  while (start < octets.length && octets[start] === 0) start++;
  const first = octets[start];
  if (first === undefined || (start === 0 && first >= 0x80)) return 0;
  return (octets.length - start) * 8 - (Math.clz32(first) - 24);
}
