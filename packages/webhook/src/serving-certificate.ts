import { Buffer } from "node:buffer";
import type { Secret } from "@newleaf/kube";
import {
  type Authority,
  type Certificate,
  EKU,
  encodeCertificates,
  formatIpAddress,
  generateKey,
  issueCertificate,
  keyMatchesCertificate,
  parseCertificates,
  parseIpAddress,
  parsePrivateKey,
  type TrustBundle,
  validatePath,
} from "@newleaf/x509";
import { sha256Hex } from "./lease-announcement.ts";

/** The names that API servers and others call the webhook by. */
export interface ServingNames {
  readonly dnsNames: readonly string[];
  /** For webhooks called by an address instead of a Service. */
  readonly ips?: readonly string[] | undefined;
}

/** What the serving Secret holds, as far as it can be read. */
export interface StoredCertificate {
  /** Undefined where certificate or key cannot be used; `problem` says why. */
  readonly leaf: Certificate | undefined;
  readonly chain: readonly Certificate[];
  readonly problem: string | undefined;
  /** Of the octets of `tls.crt` and `ca.crt`. */
  readonly certHash: string;
  readonly caHash: string;
}

/** The names a Service goes by, the one that API servers use (`service.namespace.svc`) first. */
export function serviceDnsNames(
  service: string,
  namespace: string,
  clusterDomain = "cluster.local",
): string[] {
  const name = `${service}.${namespace}.svc`;
  return [name, `${name}.${clusterDomain}`, `${service}.${namespace}`, service];
}

/** Parses once for each version of the Secret. */
export function readServing(secret: Secret): StoredCertificate {
  let stored = known.get(secret);
  if (!stored) {
    stored = parseServing(secret);
    known.set(secret, stored);
  }
  return stored;
}

const known = new WeakMap<Secret, StoredCertificate>();

/** Why what is stored must not go on being served, undefined if it may. A clock that is behind is no reason. */
export function objectionTo(
  stored: StoredCertificate,
  of: { readonly trust: TrustBundle; readonly names: ServingNames; readonly now: number },
): string | undefined {
  const { leaf, chain, problem } = stored;
  if (!leaf) return problem ?? "tls.crt is missing";
  if (of.now >= leaf.notAfter.getTime()) return `the certificate expired ${leaf.notAfter.toISOString()}`;
  const wanted = sortedNames(of.names);
  const found = leafNames(leaf);
  if (wanted.join() !== found.join()) return `the certificate is for ${found.join(", ")}`;
  // A clock behind by more than the backdating does not make a good certificate bad.
  const now = new Date(Math.max(of.now, leaf.notBefore.getTime()));
  const known = verified.get(stored);
  if (known?.trust === of.trust.sha256 && now <= known.validUntil) return undefined;
  const path = validatePath(leaf, of.trust, { now, purpose: "serverAuth", intermediates: chain });
  if (!path.ok) return `the certificate does not verify: ${path.message}`;
  verified.set(stored, { trust: of.trust.sha256, validUntil: path.validUntil });
  return undefined;
}

/** Leaders look at the same certificate all the time, and a signature costs more than all the rest of it. */
const verified = new WeakMap<StoredCertificate, { readonly trust: string; readonly validUntil: Date }>();

/** A new key and a certificate for it, as the data of the serving Secret. Ends with its authority at the latest. */
export function issueServing(
  signer: Authority,
  of: {
    readonly names: ServingNames;
    readonly now: number;
    readonly lifeMs: number;
    readonly backdateMs: number;
  },
): { readonly "tls.crt": string; readonly "tls.key": string } {
  const { names, now, lifeMs, backdateMs } = of;
  const { privateKey, publicKey } = generateKey();
  const leaf = issueCertificate(signer, publicKey, {
    subject: `CN=${(names.dnsNames[0] ?? names.ips?.[0] ?? "").slice(0, 64)}`,
    dnsNames: names.dnsNames,
    ips: names.ips ?? [],
    extendedKeyUsage: [EKU.serverAuth],
    notBefore: new Date(Math.max(now - backdateMs, signer.certificate.notBefore.getTime())),
    notAfter: new Date(Math.min(now + lifeMs, signer.certificate.notAfter.getTime())),
  });
  return {
    "tls.crt": encodeCertificates([leaf]),
    "tls.key": String(privateKey.export({ format: "pem", type: "pkcs8" })),
  };
}

/** A part of a Secret as text, "" when it is not there. */
export function secretText(secret: Secret | undefined, file: string): string {
  return Buffer.from(secret?.data?.[file] ?? "", "base64").toString("latin1");
}

function parseServing(secret: Secret): StoredCertificate {
  const certificate = Buffer.from(secret.data?.["tls.crt"] ?? "", "base64");
  const hashes = {
    certHash: sha256Hex(certificate),
    caHash: sha256Hex(Buffer.from(secret.data?.["ca.crt"] ?? "", "base64")),
  };
  const useless = (problem: string): StoredCertificate => ({
    leaf: undefined,
    chain: [],
    problem,
    ...hashes,
  });
  try {
    const [leaf, ...chain] = parseCertificates(certificate.toString("latin1"));
    if (!leaf) return useless("tls.crt holds no certificate");
    const key = parsePrivateKey(secretText(secret, "tls.key"));
    if (!keyMatchesCertificate(key, leaf)) return useless("tls.key does not belong to tls.crt");
    return { leaf, chain, problem: undefined, ...hashes };
  } catch (error) {
    // Errors of the parsers hold nothing of the key.
    return useless(error instanceof Error ? error.message : String(error));
  }
}

function sortedNames({ dnsNames, ips = [] }: ServingNames): string[] {
  return [...new Set([...dnsNames.map((name) => name.toLowerCase()), ...ips.map(canonicalIp)])].sort();
}

function leafNames({ subjectAltNames }: Certificate): string[] {
  const names = subjectAltNames.map((name) => ("value" in name ? String(name.value) : name.type));
  return names.map((name) => canonicalIp(name).toLowerCase()).sort();
}

function canonicalIp(text: string): string {
  const octets = parseIpAddress(text);
  return octets ? formatIpAddress(octets) : text;
}
