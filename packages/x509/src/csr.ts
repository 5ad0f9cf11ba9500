import type { KeyObject } from "node:crypto";
import type { AlgorithmIdentifier } from "./algorithm.ts";
import { CERTIFICATE_LIMITS } from "./certificate.ts";
import { checkDer } from "./der.ts";
import { X509Error } from "./error.ts";
import type { Extension } from "./extension.ts";
import type { GeneralName } from "./general-name.ts";
import { ParsedRequest } from "./internal/parsed-request.ts";
import { writeRequest } from "./internal/request-writer.ts";
import type { IssueOptions } from "./issue.ts";
import type { KeyUsage } from "./key-usage.ts";
import type { DistinguishedName } from "./name.ts";
import { encodePem, isDer, parsePem } from "./pem.ts";
import { verifySignature } from "./signature.ts";
import type { BasicConstraints } from "./standard-extensions.ts";
import type { X509Warning } from "./warning.ts";

/** A parsed certification request (PKCS#10, RFC 2986). What it asks for is a wish, not a fact. */
export interface CertificateRequest {
  /** Own copy of the octets; the slices below are views of it. Do not write to them. */
  readonly der: Uint8Array;
  /** What was signed. */
  readonly tbs: Uint8Array;
  readonly subject: DistinguishedName;
  readonly subjectPublicKeyInfo: Uint8Array;
  readonly publicKeyAlgorithm: AlgorithmIdentifier;
  /** Made on first use and kept; throws ERR_X509_KEY when node:crypto cannot use the key. */
  readonly publicKey: KeyObject;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  /** Those of the extensionRequest attribute. */
  readonly extensions: readonly Extension[];
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectAltNames: readonly GeneralName[];
  readonly warnings: readonly X509Warning[];
}

/** What to ask for; only the subject is needed. */
export type RequestOptions = Pick<
  IssueOptions,
  | "subject"
  | "dnsNames"
  | "uris"
  | "ips"
  | "emails"
  | "otherNames"
  | "keyUsage"
  | "extendedKeyUsage"
  | "extraExtensions"
>;

/** The DER of a request for a certificate for `key`, which signs it and so must be private. */
export function createCsr(key: KeyObject, options: RequestOptions): Uint8Array {
  return writeRequest(key, options);
}

/** The one request in PEM (`CERTIFICATE REQUEST`, or the older `NEW CERTIFICATE REQUEST`) or DER. */
export function parseCsr(pemOrDer: string | Uint8Array): CertificateRequest {
  const der = isDer(pemOrDer) ? pemOrDer : onlyBlock(pemOrDer);
  const elements = checkDer(der, CERTIFICATE_LIMITS);
  const maxElements = CERTIFICATE_LIMITS.maxElements - elements;
  return new ParsedRequest(new Uint8Array(der), { ...CERTIFICATE_LIMITS, maxElements });
}

/** The request as PEM text. */
export function encodeCsr(der: Uint8Array): string {
  return encodePem("CERTIFICATE REQUEST", der);
}

/** Whether the request is signed by the private key to its own public key. */
export function verifyCsr(request: CertificateRequest): boolean {
  return verifySignature(request.tbs, request.signatureAlgorithm, request.signature, request.publicKey);
}

function onlyBlock(pem: string | Uint8Array): Uint8Array {
  const blocks = parsePem(pem).filter(({ label }) => label.endsWith("CERTIFICATE REQUEST"));
  const [block, second] = blocks;
  if (block === undefined) throw new X509Error("ERR_X509_CSR", "no certificate request in the text");
  if (second !== undefined)
    throw new X509Error("ERR_X509_CSR", "more than one certificate request in the text");
  return block.der;
}
