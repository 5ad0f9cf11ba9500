import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import {
  type Certificate,
  type CertificateRequest,
  type CertificateRevocationList,
  parseCertificate,
  parseCrl,
  parseCsr,
  parsePem,
  parsePrivateKey,
} from "@newleaf/x509";
import type { Input } from "./input.ts";

/** One thing found in an input. Of private keys only what is public is kept. */
export type Item = { readonly input: Input } /** `position`: among the certificates of its input. */ & (
  | { readonly kind: "certificate"; readonly certificate: Certificate; readonly position: number }
  | { readonly kind: "private key" | "public key"; readonly key: KeyFacts }
  | { readonly kind: "revocation list"; readonly crl: CertificateRevocationList }
  | { readonly kind: "request"; readonly request: CertificateRequest }
  | { readonly kind: "encrypted key" }
  | { readonly kind: "unreadable"; readonly message: string; readonly hint?: string }
  | { readonly kind: "other"; readonly label: string }
);

export type CertificateItem = Extract<Item, { kind: "certificate" }>;
export type KeyItem = Extract<Item, { key: KeyFacts }>;
export type CrlItem = Extract<Item, { kind: "revocation list" }>;
export type RequestItem = Extract<Item, { kind: "request" }>;

export interface KeyFacts {
  /** `ECDSA P-256`, `RSA 2048`, `Ed25519`. */
  readonly algorithm: string;
  /** Strength class: bits of the modulus or the curve. */
  readonly bits: number | undefined;
  readonly spkiSha256: string;
}

/** Everything in an input, PEM or DER; what is damaged becomes an `unreadable` item. */
export function parseItems(input: Input): readonly Item[] {
  const { bytes } = input;
  if (bytes.length === 0) return [{ input, kind: "unreadable", message: "is empty" }];
  if (bytes[0] === 0x30) return [parseDer(input)];
  const text = Buffer.from(bytes).toString("latin1");
  if (!text.includes("-----BEGIN ")) return isNamed(input) ? [{ input, ...nothingIn(bytes) }] : [];
  const encrypted = text.match(encryptedByHeader)?.map((): Item => ({ input, kind: "encrypted key" })) ?? [];
  try {
    const blocks = parsePem(text.replace(encryptedByHeader, ""));
    return [...encrypted, ...numbered(blocks.flatMap(({ label, der }) => parseBlock(input, label, der)))];
  } catch (error) {
    return [{ input, kind: "unreadable", message: messageOf(error) }];
  }
}

/** Keys as `openssl rsa -aes256 -traditional` encrypts them: header fields (RFC 1421), which the PEM of RFC 7468 has not. */
const encryptedByHeader =
  /-----BEGIN ([A-Z]{2,8} PRIVATE KEY)-----\r?\nProc-Type: 4,ENCRYPTED[\s\S]{1,32768}?-----END \1-----/g;

/** What can be said of a key without telling it. */
export function keyFacts(key: KeyObject): KeyFacts {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const { namedCurve, modulusLength } = publicKey.asymmetricKeyDetails ?? {};
  const spki = publicKey.export({ type: "spki", format: "der" });
  const type = publicKey.asymmetricKeyType ?? "unknown";
  const spkiSha256 = createHash("sha256").update(spki).digest("hex");
  if (namedCurve !== undefined) {
    const [curve, bits] = curves[namedCurve] ?? [namedCurve, undefined];
    return { algorithm: `ECDSA ${curve}`, bits, spkiSha256 };
  }
  if (modulusLength !== undefined) {
    return {
      algorithm: `${type === "rsa-pss" ? "RSA-PSS" : type.toUpperCase()} ${modulusLength}`,
      bits: modulusLength,
      spkiSha256,
    };
  }
  return { algorithm: type.replace(/^ed/, "Ed"), bits: undefined, spkiSha256 };
}

/** The key of a certificate or request; undefined when this machine cannot use it. */
export function keyOf(owner: Certificate | CertificateRequest): KeyFacts | undefined {
  try {
    return keyFacts(owner.publicKey);
  } catch {
    return undefined;
  }
}

const curves: Readonly<Record<string, readonly [string, number]>> = {
  prime192v1: ["P-192", 192],
  secp224r1: ["P-224", 224],
  prime256v1: ["P-256", 256],
  secp384r1: ["P-384", 384],
  secp521r1: ["P-521", 521],
};

function numbered(items: readonly Item[]): readonly Item[] {
  let position = 0;
  return items.map((item) => (item.kind === "certificate" ? { ...item, position: position++ } : item));
}

function parseBlock(input: Input, label: string, der: Uint8Array): readonly Item[] {
  try {
    switch (label) {
      case "CERTIFICATE":
      case "X509 CERTIFICATE":
        return [{ input, kind: "certificate", certificate: parseCertificate(der), position: 0 }];
      case "X509 CRL":
        return [{ input, kind: "revocation list", crl: parseCrl(der) }];
      case "CERTIFICATE REQUEST":
      case "NEW CERTIFICATE REQUEST":
        return [{ input, kind: "request", request: parseCsr(der) }];
      case "PUBLIC KEY":
        return [
          {
            input,
            kind: "public key",
            key: keyFacts(createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" })),
          },
        ];
      case "ENCRYPTED PRIVATE KEY":
        return [{ input, kind: "encrypted key" }];
      case "EC PARAMETERS":
      case "DH PARAMETERS":
        return [];
      default:
        return label.endsWith("PRIVATE KEY")
          ? [privateKey(input, label, der)]
          : [{ input, kind: "other", label }];
    }
  } catch (error) {
    return [{ input, kind: "unreadable", message: `${label.toLowerCase()}: ${messageOf(error)}` }];
  }
}

function privateKey(input: Input, label: string, der: Uint8Array): Item {
  // Re-encoded on its own: other blocks of the file are no concern of this key.
  const pem = `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64")}\n-----END ${label}-----\n`;
  return { input, kind: "private key", key: keyFacts(parsePrivateKey(pem)) };
}

function parseDer(input: Input): Item {
  const { bytes } = input;
  const attempts: readonly (() => Item)[] = [
    () => ({ input, kind: "certificate", certificate: parseCertificate(bytes), position: 0 }),
    () => ({ input, kind: "revocation list", crl: parseCrl(bytes) }),
    () => ({ input, kind: "request", request: parseCsr(bytes) }),
    ...(["pkcs8", "sec1", "pkcs1"] as const).map((type) => (): Item => {
      const key = createPrivateKey({ key: Buffer.from(bytes), format: "der", type });
      return { input, kind: "private key", key: keyFacts(key) };
    }),
    () => ({
      input,
      kind: "public key",
      key: keyFacts(createPublicKey({ key: Buffer.from(bytes), format: "der", type: "spki" })),
    }),
  ];
  const failures: unknown[] = [];
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch (error) {
      failures.push(error);
    }
  }
  return {
    input,
    kind: "unreadable",
    message: `is DER, but no certificate (${messageOf(failures[0])}), list, request or key`,
    hint: "a PKCS#12 archive is read after openssl pkcs12 -in FILE -out FILE.pem -noenc",
  };
}

/** Files named by the user must be something; others in a directory may be anything. */
function isNamed({ directory, path }: Input): boolean {
  return directory === undefined || /\.(crt|pem|key|cer|der|crl|csr)$/.test(path);
}

function nothingIn(bytes: Uint8Array): { kind: "unreadable"; message: string; hint?: string } {
  const keystore = Buffer.from(bytes.subarray(0, 4)).toString("hex") === "feedfeed";
  return {
    kind: "unreadable",
    message: keystore ? "is a Java keystore" : "has neither PEM nor DER in it",
    ...(keystore ? { hint: "convert it with keytool -importkeystore and openssl pkcs12" } : {}),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
