import { Buffer } from "node:buffer";
import type { Secret } from "@newleaf/kube";
import {
  type Authority,
  type Certificate,
  createRoot,
  createTrustBundle,
  encodeCertificates,
  keyMatchesCertificate,
  parseCertificates,
  parsePrivateKey,
  type TrustBundle,
} from "@newleaf/x509";
import type { AnnotationNames } from "./annotations.ts";

/**
 * Whom a webhook's certificates come from, as the CA Secret keeps it. `next` is there from the start of a rollover to
 * the switch, `previous` from the switch until nobody uses its leaves any more. Whatever is here is trusted.
 */
export interface AuthorityState {
  /** Signs. Undefined when its key is lost; leaves that it has signed may still be in use. */
  readonly signer: Authority | undefined;
  readonly next: Authority | undefined;
  readonly previous: readonly Certificate[];
  /** The rollover under way, until every replica has let go of the old trust. */
  readonly rollover: RolloverNote | undefined;
}

export type RolloverReason = "due" | "requested" | "lost";

/** Times as ISO dates. */
export interface RolloverNote {
  readonly reason: RolloverReason;
  readonly startedAt: string;
  readonly switchedAt?: string;
  /** When the last leaf of the old authority ends. */
  readonly oldLeafUntil?: string;
  readonly droppedAt?: string;
}

const FILES = {
  signer: { certificate: "ca.crt", key: "ca.key" },
  next: { certificate: "next.crt", key: "next.key" },
  previous: "previous.crt",
} as const;

export interface ParsedAuthorityState extends AuthorityState {
  /** What is in the Secret and cannot be used, in words; it is not part of the state. */
  readonly damage: readonly string[];
}

/**
 * Reads what can be used, once for each version of the Secret. The certificate of an authority whose key cannot be used
 * is a previous one.
 */
export function readAuthorityState(secret: Secret, names: AnnotationNames): ParsedAuthorityState {
  let state = known.get(secret);
  if (!state) {
    state = parseAuthorityState(secret, names);
    known.set(secret, state);
  }
  return state;
}

const known = new WeakMap<Secret, ParsedAuthorityState>();

function parseAuthorityState(secret: Secret, names: AnnotationNames): ParsedAuthorityState {
  const damage: string[] = [];
  const previous: Certificate[] = [];
  const signer = readAuthority(secret, FILES.signer, damage, previous);
  const next = readAuthority(secret, FILES.next, damage, []);
  previous.push(...readCertificates(secret, FILES.previous, damage));
  const present = new Set([signer, next].map((authority) => authority?.certificate.sha256));
  return {
    signer,
    next,
    previous: createTrustBundle(previous).certificates.filter(({ sha256 }) => !present.has(sha256)),
    rollover: readNote(secret.metadata?.annotations?.[names.rollover]),
    damage,
  };
}

/** The data of the Secret, base64; null for what must not be there, as a merge patch has it. */
export function authorityData({ signer, next, previous }: AuthorityState): Record<string, string | null> {
  return {
    ...authorityFiles(FILES.signer, signer),
    ...authorityFiles(FILES.next, next),
    [FILES.previous]: previous.length > 0 ? base64(encodeCertificates(previous)) : null,
  };
}

/** Everything trusted, newest authority first. */
export function trustOf({ signer, next, previous }: AuthorityState): TrustBundle {
  const authorities = [next, signer].flatMap((authority) => authority?.certificate ?? []);
  return createTrustBundle([...authorities, ...previous]);
}

/** A new root. The time in its name tells it from others of the same webhook, to people and to path building. */
export function createAuthority(of: {
  readonly name: string;
  readonly now: number;
  readonly lifeMs: number;
  readonly backdateMs: number;
}): Authority {
  const { name, now, lifeMs, backdateMs } = of;
  return createRoot({
    subject: `CN=${authorityPrefix(name)} ${new Date(now).toISOString().replace(/[-:]|\.\d+/g, "")}`,
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + lifeMs),
    pathLength: 0,
  });
}

/** Whether a certificate, found where others write too, looks like an authority made here. */
export function isOwnAuthority(certificate: Certificate, name: string): boolean {
  return certificate.subject.commonName?.startsWith(`${authorityPrefix(name)} `) === true;
}

/** A common name has room for 64 characters (RFC 5280 appendix A.1). */
function authorityPrefix(name: string): string {
  return `${name.slice(0, 36)} webhook CA`;
}

function readAuthority(
  secret: Secret,
  files: { readonly certificate: string; readonly key: string },
  damage: string[],
  keyless: Certificate[],
): Authority | undefined {
  const [certificate, ...others] = readCertificates(secret, files.certificate, damage);
  const key = readPart(secret, files.key, damage, parsePrivateKey);
  if (!certificate && !key) return undefined;
  if (
    certificate &&
    key &&
    others.length === 0 &&
    isCa(certificate) &&
    keyMatchesCertificate(key, certificate)
  ) {
    return { certificate, key };
  }
  damage.push(`${files.certificate} and ${files.key} are not the certificate and key of one authority`);
  if (certificate && isCa(certificate)) keyless.push(certificate);
  return undefined;
}

function isCa({ basicConstraints, keyUsage }: Certificate): boolean {
  return basicConstraints?.cA === true && keyUsage?.has("keyCertSign") !== false;
}

function readCertificates(secret: Secret, file: string, damage: string[]): readonly Certificate[] {
  return readPart(secret, file, damage, parseSome) ?? [];
}

function parseSome(text: string): readonly Certificate[] {
  const certificates = parseCertificates(text);
  if (certificates.length === 0) throw new TypeError("no certificate");
  return certificates;
}

function readPart<T>(
  secret: Secret,
  file: string,
  damage: string[],
  parse: (text: string) => T,
): T | undefined {
  const encoded = secret.data?.[file];
  if (encoded === undefined || encoded === "") return undefined;
  try {
    return parse(Buffer.from(encoded, "base64").toString("latin1"));
  } catch {
    // No cause: whatever is said of a damaged key stays here.
    damage.push(`${file} is damaged`);
    return undefined;
  }
}

function readNote(json: string | undefined): RolloverNote | undefined {
  if (json === undefined) return undefined;
  try {
    const note: unknown = JSON.parse(json);
    if (typeof note !== "object" || note === null || !("startedAt" in note)) return undefined;
    return note as RolloverNote;
  } catch {
    return undefined;
  }
}

function authorityFiles(
  files: { readonly certificate: string; readonly key: string },
  authority: Authority | undefined,
): Record<string, string | null> {
  if (!authority) return { [files.certificate]: null, [files.key]: null };
  return {
    [files.certificate]: base64(encodeCertificates([authority.certificate])),
    [files.key]: base64(String(authority.key.export({ format: "pem", type: "pkcs8" }))),
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
