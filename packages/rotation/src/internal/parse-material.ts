import { KeyObject } from "node:crypto";
import {
  type Certificate,
  type CertificateRevocationList,
  createTrustBundle,
  parseCertificate,
  parseCrl,
  parsePem,
  parsePrivateKey,
  type TrustBundle,
  X509Error,
} from "@newleaf/x509";
import type { IdentityMaterial, MaterialNames } from "../identity-material.ts";
import type { RefusalCode } from "../identity-source.ts";
import { isProblem, type Problem, problem } from "./problem.ts";

export interface ParsedMaterial {
  readonly certificates: readonly Certificate[];
  readonly key: KeyObject;
  readonly trust: TrustBundle;
  /** Undefined when revocation is not used. */
  readonly crls: readonly CertificateRevocationList[] | undefined;
  readonly names: MaterialNames;
}

export const DEFAULT_MAX_BYTES: number = 1024 * 1024;
const DEFAULT_NAMES: MaterialNames = {
  certificate: "certificate",
  key: "private key",
  trust: "trust bundle",
  crl: "revocation list",
};

/**
 * Parses all parts or says which one is damaged, empty or too large. Certificates of the `known` bundle are not
 * parsed again: most updates leave a bundle as it is, and it may be large.
 */
export function parseMaterial(
  material: IdentityMaterial,
  options: { readonly maxBytes?: number; readonly names?: Partial<MaterialNames> },
  known?: TrustBundle,
): ParsedMaterial | Problem {
  const names = { ...DEFAULT_NAMES, ...options.names };
  const limit = options.maxBytes ?? DEFAULT_MAX_BYTES;
  const certificates = parseParts(material.certificates, parseCertificate, CHAIN, names.certificate, limit);
  if (isProblem(certificates)) return certificates;
  const key = parseKey(material.key, names.key, limit);
  if (isProblem(key)) return key;
  const trust = parseTrust(material.trust, known, names.trust, limit);
  if (isProblem(trust)) return trust;
  if (material.crls === undefined) return { certificates, key, trust, crls: undefined, names };
  const crls = parseParts(material.crls, parseCrl, CRLS, names.crl, limit);
  if (isProblem(crls)) return crls;
  return { certificates, key, trust, crls, names };
}

interface PartKind {
  readonly what: string;
  readonly label: string;
  readonly skipped: RegExp;
  readonly empty: RefusalCode;
  readonly damaged: RefusalCode;
}

const CHAIN: PartKind = {
  what: "certificate",
  label: "CERTIFICATE",
  skipped: /PRIVATE KEY$|^EC PARAMETERS$/,
  empty: "empty",
  damaged: "bad_pem",
};
const TRUST: PartKind = { ...CHAIN, skipped: /^$/, empty: "empty_bundle", damaged: "bad_bundle" };
const CRLS: PartKind = {
  what: "revocation list",
  label: "X509 CRL",
  skipped: /^$/,
  empty: "empty",
  damaged: "bad_crl",
};

function parseTrust(
  input: IdentityMaterial["trust"],
  known: TrustBundle | undefined,
  name: string,
  limit: number,
): TrustBundle | Problem {
  if (isBundle(input)) {
    return input.certificates.length > 0 ? input : problem("empty_bundle", `${name} is empty`);
  }
  let index = 0;
  const parse = (der: Uint8Array): Certificate => {
    const before = known?.certificates[index++];
    return before && Buffer.compare(before.der, der) === 0 ? before : parseCertificate(der);
  };
  const certificates = parseParts(input, parse, TRUST, name, limit);
  return isProblem(certificates) ? certificates : createTrustBundle(certificates);
}

/** One value for each block: nothing that looks like an entry is passed over, which is how CAs get lost. */
function parseParts<T extends object>(
  input: string | Uint8Array | readonly T[],
  parse: (der: Uint8Array) => T,
  kind: PartKind,
  name: string,
  limit: number,
): readonly T[] | Problem {
  if (isParsed(input)) return input.length > 0 ? input : problem(kind.empty, `${name} is empty`);
  const size = checkSize(input, name, limit, kind.empty);
  if (size) return size;
  try {
    // 0x30 opens every DER SEQUENCE and is the digit zero in text.
    if (typeof input !== "string" && input[0] === 0x30) return [parse(input)];
    const blocks = parsePem(input).filter((block) => !kind.skipped.test(block.label));
    const foreign = blocks.find((block) => block.label !== kind.label);
    if (foreign) return problem(kind.damaged, `${name} holds a ${foreign.label} block`);
    if (blocks.length === 0) return problem(kind.damaged, `${name} holds no ${kind.what}`);
    return blocks.map((block) => parse(block.der));
  } catch (error) {
    return damaged(kind.damaged, name, error);
  }
}

function parseKey(input: IdentityMaterial["key"], name: string, limit: number): KeyObject | Problem {
  if (input instanceof KeyObject) {
    return input.type === "private" ? input : problem("bad_key", `${name} is not a private key`);
  }
  const size = checkSize(input, name, limit, "empty");
  if (size) return size;
  try {
    return parseTwice(() => parsePrivateKey(input));
  } catch (error) {
    return damaged("bad_key", name, error);
  }
}

// createPrivateKey also fails over what an unrelated call, anywhere in the process, left in OpenSSL's error queue, as
// `KeyObject.equals` of two kinds of key does on Node 20 to 24; the failed call empties it. Costs nothing otherwise.
function parseTwice<T>(parse: () => T): T {
  try {
    return parse();
  } catch {
    return parse();
  }
}

function checkSize(
  input: string | Uint8Array,
  name: string,
  limit: number,
  empty: RefusalCode,
): Problem | undefined {
  if (input.length > limit) return problem("too_large", `${name} has more than ${limit} octets`);
  const blank = typeof input === "string" ? input.trim() === "" : input.every((octet) => octet <= 0x20);
  return blank ? problem(empty, `${name} is empty`) : undefined;
}

function damaged(code: RefusalCode, name: string, error: unknown): Problem {
  if (!(error instanceof X509Error)) throw error;
  return problem(code, `${name} is damaged: ${error.message}`);
}

function isParsed<T>(input: string | Uint8Array | readonly T[]): input is readonly T[] {
  return Array.isArray(input);
}

function isBundle(input: IdentityMaterial["trust"]): input is TrustBundle {
  return typeof input === "object" && "certificates" in input;
}
