import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { type Certificate, parseCertificate } from "../src/certificate.ts";
import { type CertificateRevocationList, parseCrl } from "../src/crl.ts";
import { DerCursor } from "../src/der.ts";
import {
  bitString,
  enumerated,
  explicit,
  ia5String,
  implicit,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  time,
} from "../src/der-writer.ts";
import { EXTENSION, type Extension } from "../src/extension.ts";
import {
  authorityKeyIdentifier,
  basicConstraints,
  encodeExtensions,
  extendedKeyUsage,
  keyUsage,
  nameConstraints,
  subjectAltNames,
  subjectKeyIdentifier,
} from "../src/extension-writer.ts";
import type { GeneralName } from "../src/general-name.ts";
import { keyIdentifierOf } from "../src/key-identifier.ts";
import type { KeyUsage } from "../src/key-usage.ts";
import { decodeName } from "../src/name.ts";
import { encodeName } from "../src/name-writer.ts";
import { type KeyKind, privateKey } from "./key-pool.ts";

/** The moment at which the tests validate, unless they say otherwise. */
export const NOW: Date = new Date("2026-06-01T12:00:00Z");

/** NOW plus so many days. */
export function days(count: number): Date {
  return new Date(NOW.getTime() + count * 86_400_000);
}

/** A certificate with its private key. */
export interface Party {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

/** Unlike the package's issuer this writes whatever it is told, right or wrong. */
export interface CertificateSpec {
  /** A common name, or a whole name when it has a `=`; "" is the empty name. */
  readonly subject: string;
  /** Written instead of the issuer's subject. */
  readonly issuer?: string;
  readonly kind?: KeyKind;
  /** Names the key in the pool; default: the subject. */
  readonly keyName?: string;
  readonly version?: 1 | 2 | 3;
  readonly serial?: number;
  readonly from?: Date;
  readonly to?: Date;
  readonly hash?: "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512";
  /** undefined: no basicConstraints. */
  readonly ca?: boolean | undefined;
  readonly pathLength?: number;
  readonly usages?: readonly KeyUsage[] | null;
  readonly purposes?: readonly string[] | null;
  readonly names?: readonly GeneralName[];
  readonly permitted?: readonly GeneralName[];
  readonly excluded?: readonly GeneralName[];
  readonly subjectKeyIdentifier?: string | null;
  readonly authorityKeyIdentifier?: string | null;
  readonly extra?: readonly Extension[];
  /** RSA: the signature algorithm is written without its NULL where it is not signed. */
  readonly mismatch?: boolean;
}

export function dns(value: string): GeneralName {
  return { type: "dns", value };
}

export function directory(text: string): GeneralName {
  return { type: "directory", name: decodeName(new DerCursor(encodeName(text)).read(), () => {}) };
}

/** A name of a form this package does not know, `registeredID` by default. */
export function otherName(der: Uint8Array = implicit(8, oid("1.2.3.4"))): GeneralName {
  return { type: "other", tag: (der[0] ?? 0) & 0x1f, der };
}

/** The empty DNS name, URI or mail address, which the package does not write. */
export function emptyName(type: "dns" | "uri" | "email"): GeneralName {
  const tag = { email: 1, dns: 2, uri: 6 }[type];
  return { type: "other", tag, der: implicit(tag, ia5String("")) };
}

/** A root: cA, keyCertSign, cRLSign. */
export function root(spec: CertificateSpec): Party {
  return issue(undefined, {
    ca: true,
    usages: ["keyCertSign", "cRLSign"],
    authorityKeyIdentifier: null,
    ...spec,
  });
}

export function intermediate(issuer: Party, spec: CertificateSpec): Party {
  return issue(issuer, { ca: true, usages: ["keyCertSign", "cRLSign"], ...spec });
}

/** digitalSignature, a DNS name, no extended key usage. */
export function leaf(issuer: Party, spec: Partial<CertificateSpec> = {}): Party {
  const defaults: CertificateSpec = {
    subject: "leaf",
    ca: false,
    usages: ["digitalSignature"],
    names: [dns("leaf.example.com")],
  };
  return issue(issuer, { ...defaults, ...spec });
}

/** Signs what the spec says; self-signed without an issuer. */
export function issue(issuer: Party | undefined, spec: CertificateSpec): Party {
  const key = privateKey(spec.kind ?? "p256", spec.keyName ?? spec.subject);
  const signer = issuer?.key ?? key;
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  const algorithm = algorithmOf(signer, spec.hash ?? "sha256");
  const subject = nameOf(spec.subject);
  const issuerName =
    spec.issuer === undefined ? (issuer?.certificate.subject.der ?? subject) : nameOf(spec.issuer);
  const version = spec.version ?? 3;
  const extensions = extensionsOf(spec, keyIdentifierOf(spki), issuer?.certificate.subjectKeyIdentifier);
  const tbs = sequence(
    ...(version === 1 ? [] : [explicit(0, integer(version - 1))]),
    integer(spec.serial ?? nextSerial()),
    algorithm,
    issuerName,
    sequence(time(spec.from ?? days(-30)), time(spec.to ?? days(30))),
    subject,
    spki,
    ...(extensions.length === 0 ? [] : [explicit(3, encodeExtensions(extensions))]),
  );
  const outer = spec.mismatch === true ? sequence(oid(`1.2.840.113549.1.1.${RSA.sha256}`)) : algorithm;
  return { certificate: parseCertificate(signed(tbs, outer, signer, spec.hash ?? "sha256")), key };
}

/** The same certificate with one bit of the signature turned. */
export function damaged({ certificate, key }: Party): Party {
  const der = new Uint8Array(certificate.der);
  der[der.length - 1] = (der[der.length - 1] ?? 0) ^ 1;
  return { certificate: parseCertificate(der), key };
}

export interface CrlSpec {
  readonly issuer?: string;
  readonly revoked?: readonly {
    readonly certificate: Certificate;
    readonly reason?: number;
    readonly date?: Date;
  }[];
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date | null;
  readonly number?: number;
  readonly hash?: "sha1" | "sha256";
  readonly extra?: readonly Extension[];
}

export function crl(issuer: Party, spec: CrlSpec = {}): CertificateRevocationList {
  const algorithm = algorithmOf(issuer.key, spec.hash ?? "sha256");
  const entries = (spec.revoked ?? []).map(({ certificate, reason, date }) =>
    sequence(
      integer(Buffer.from(certificate.serialNumber, "hex")),
      time(date ?? days(-1)),
      ...(reason === undefined
        ? []
        : [encodeExtensions([{ oid: EXTENSION.reasonCode, critical: false, value: enumerated(reason) }])]),
    ),
  );
  const keyIdentifier = issuer.certificate.subjectKeyIdentifier;
  const extensions = [
    ...(keyIdentifier === undefined ? [] : [authorityKeyIdentifier(keyIdentifier)]),
    { oid: EXTENSION.crlNumber, critical: false, value: integer(spec.number ?? 1) },
    ...(spec.extra ?? []),
  ];
  const tbs = sequence(
    integer(1),
    algorithm,
    spec.issuer === undefined ? issuer.certificate.subject.der : nameOf(spec.issuer),
    time(spec.thisUpdate ?? days(-2)),
    ...(spec.nextUpdate === null ? [] : [time(spec.nextUpdate ?? days(5))]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    explicit(0, encodeExtensions(extensions)),
  );
  return parseCrl(signed(tbs, algorithm, issuer.key, spec.hash ?? "sha256"));
}

let serials = 1000;

function nextSerial(): number {
  serials += 1;
  return serials;
}

function nameOf(text: string): Uint8Array {
  return encodeName(text === "" || text.includes("=") ? text : `CN=${text}`);
}

function extensionsOf(spec: CertificateSpec, own: string, issuers: string | undefined): readonly Extension[] {
  if (spec.version === 1 || spec.version === 2) return spec.extra ?? [];
  const { ca, usages, purposes, names = [], permitted = [], excluded = [], extra = [] } = spec;
  const ski = spec.subjectKeyIdentifier === undefined ? own : spec.subjectKeyIdentifier;
  const aki = spec.authorityKeyIdentifier === undefined ? issuers : spec.authorityKeyIdentifier;
  const extensions = [
    ...(ca === undefined ? [] : [withPathLength(ca, spec.pathLength)]),
    ...(usages ? [keyUsage(usages)] : []),
    ...(purposes ? [extendedKeyUsage(purposes)] : []),
    ...(names.length === 0 ? [] : [subjectAltNames(names, spec.subject === "")]),
    ...(permitted.length + excluded.length === 0 ? [] : [nameConstraints(permitted, excluded)]),
    ...(ski === null ? [] : [subjectKeyIdentifier(ski)]),
    ...(aki ? [authorityKeyIdentifier(aki)] : []),
  ];
  // An extra extension replaces the one of its type.
  return [...extensions.filter(({ oid: id }) => !extra.some((other) => other.oid === id)), ...extra];
}

function withPathLength(ca: boolean, pathLength: number | undefined): Extension {
  return basicConstraints(ca, ca ? pathLength : undefined);
}

const RSA: Record<string, string> = {
  md5: "4",
  sha1: "5",
  sha224: "14",
  sha256: "11",
  sha384: "12",
  sha512: "13",
};
const ECDSA: Record<string, string> = {
  sha1: "1",
  sha224: "3.1",
  sha256: "3.2",
  sha384: "3.3",
  sha512: "3.4",
};
const DIGEST: Record<string, string> = { sha256: "1", sha384: "2", sha512: "3" };

function algorithmOf(key: KeyObject, hash: string): Uint8Array {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return sequence(oid(`1.2.840.113549.1.1.${RSA[hash]}`), nullValue());
    case "ec":
      return sequence(oid(`1.2.840.10045.4.${ECDSA[hash]}`));
    case "ed25519":
      return sequence(oid("1.3.101.112"));
    case "ed448":
      return sequence(oid("1.3.101.113"));
    case "dsa":
      return sequence(oid("2.16.840.1.101.3.4.3.2"));
    default: {
      const digest = sequence(oid(`2.16.840.1.101.3.4.2.${DIGEST[hash]}`), nullValue());
      const mask = sequence(oid("1.2.840.113549.1.1.8"), digest);
      const parameters = sequence(explicit(0, digest), explicit(1, mask), explicit(2, integer(32)));
      return sequence(oid("1.2.840.113549.1.1.10"), parameters);
    }
  }
}

function signed(tbs: Uint8Array, algorithm: Uint8Array, key: KeyObject, hash: string): Uint8Array {
  const edwards = key.asymmetricKeyType === "ed25519" || key.asymmetricKeyType === "ed448";
  const options = key.asymmetricKeyType === "rsa-pss" ? { key, saltLength: 32 } : { key };
  return sequence(tbs, algorithm, bitString(sign(edwards ? undefined : hash, tbs, options)));
}

/** An extension nobody knows. */
export function unknownExtension(critical: boolean): Extension {
  return { oid: "1.3.6.1.4.1.99999.1", critical, value: octetString(new Uint8Array([1])) };
}
