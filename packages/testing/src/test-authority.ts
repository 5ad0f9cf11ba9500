import { createPublicKey, type KeyObject } from "node:crypto";
import {
  type Authority,
  type Certificate,
  createRoot,
  EKU,
  encodeCertificates,
  encodePem,
  generateKey,
  type IssueOptions,
  issueCertificate,
  issueCrl,
  issueIntermediate,
  type KeyAlgorithm,
} from "@newleaf/x509";
import { createTestIdentity, type KeyFormat, type TestIdentity } from "./test-identity.ts";

/** Ways in which a certificate of the refusal matrix is wrong; each is otherwise as good as any. */
export type IssueDefect =
  | "expired"
  | "not_yet_valid"
  | "server_auth_only"
  | "no_extended_key_usage"
  | "ca_as_leaf"
  | "unknown_authority"
  | "chain_incomplete"
  | "revoked";

export interface TestIssueOptions {
  /** Default: the first DNS name. */
  readonly commonName?: string;
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  /** Default 127.0.0.1, so that every leaf can serve in a test. */
  readonly ips?: readonly string[];
  /** Life from now, one hour by default. */
  readonly ttlMs?: number;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly algorithm?: KeyAlgorithm;
  readonly keyFormat?: KeyFormat;
  /** Reuse the key of an earlier identity, as `reuse-private-key` does. */
  readonly keyOf?: TestIdentity;
  readonly defect?: IssueDefect;
  /** Anything else the issuer of `@newleaf/x509` can do. */
  readonly extra?: Partial<IssueOptions>;
}

export interface CrlOptions {
  /** `nextUpdate` in the past. */
  readonly expired?: boolean;
  /** Leave the root's list out where there is an intermediate: an incomplete set. */
  readonly withoutRoot?: boolean;
}

/** An authority of the tests and the demo: a root, perhaps an intermediate, and whatever they are asked to sign. */
export interface TestAuthority {
  readonly root: Authority;
  readonly intermediate: Authority | undefined;
  readonly certificates: readonly Certificate[];
  /** The anchor as PEM. */
  readonly trustPem: string;
  issue(options?: TestIssueOptions): TestIdentity;
  revoke(identity: { readonly certificate: Certificate }): void;
  /** A list from each authority, as one PEM text. */
  crlPem(options?: CrlOptions): string;
  /** The next authority, with the same name and another key, and the bundle that holds both meanwhile. */
  roll(): TestRollover;
}

export interface TestRollover {
  readonly old: TestAuthority;
  readonly next: TestAuthority;
  readonly bothPem: string;
}

export interface TestAuthorityOptions {
  readonly name?: string;
  /** Sign leaves with an intermediate that is delivered in the chain. */
  readonly intermediate?: boolean;
  readonly algorithm?: KeyAlgorithm;
  /** Wall clock in milliseconds, for tests that bring their own. */
  readonly now?: () => number;
}

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;
const DEFAULT_NAME = "Newleaf test";
/** notBefore is backdated, as issuers do for clocks that are behind. */
const BACKDATE = 60_000;

/** Creates a root with a fresh key and, if asked, an intermediate. */
export function createTestAuthority(options: TestAuthorityOptions = {}): TestAuthority {
  const { now = Date.now } = options;
  const root = createRoot({ subject: `CN=${options.name ?? DEFAULT_NAME} root`, ...caOptions(options) });
  const intermediate = options.intermediate ? createIntermediate(root, options) : undefined;
  const trustPem = encodeCertificates([root.certificate]);
  const revoked = new Map<string, Date>();
  let crlNumber = 0;

  const authority: TestAuthority = {
    root,
    intermediate,
    certificates: [root.certificate],
    trustPem,
    issue: (issueOptions = {}) => {
      const { defect, ...rest } = issueOptions;
      if (defect === "unknown_authority") return createTestAuthority(options).issue(rest);
      const incomplete = defect === "chain_incomplete";
      const signer = intermediate ?? (incomplete ? createIntermediate(root, options) : root);
      const intermediates = signer === root || incomplete ? [] : [signer.certificate];
      const identity = createTestIdentity({ ...sign(signer, issueOptions, now()), intermediates, trustPem });
      if (defect === "revoked") authority.revoke(identity);
      return identity;
    },
    revoke: ({ certificate }) => void revoked.set(certificate.serialNumber, new Date(now())),
    crlPem: (crlOptions = {}) => {
      crlNumber += 1;
      const leaves = intermediate ?? root;
      const signers = new Set(crlOptions.withoutRoot ? [leaves] : [root, leaves]);
      return [...signers]
        .map((signer) =>
          signCrl(signer, signer === leaves ? revoked : new Map(), crlNumber, now(), crlOptions),
        )
        .join("");
    },
    roll: () => {
      const next = createTestAuthority(options);
      return { old: authority, next, bothPem: trustPem + next.trustPem };
    },
  };
  return authority;
}

function caOptions(options: TestAuthorityOptions): Pick<IssueOptions, "notBefore" | "notAfter"> & {
  algorithm?: KeyAlgorithm;
} {
  const now = (options.now ?? Date.now)();
  return {
    notBefore: new Date(now - HOUR),
    notAfter: new Date(now + 10 * YEAR),
    ...(options.algorithm ? { algorithm: options.algorithm } : {}),
  };
}

function createIntermediate(root: Authority, options: TestAuthorityOptions): Authority {
  const subject = `CN=${options.name ?? DEFAULT_NAME} intermediate`;
  return issueIntermediate(root, { subject, pathLength: 0, ...caOptions(options) });
}

function signCrl(
  signer: Authority,
  revoked: ReadonlyMap<string, Date>,
  number: number,
  now: number,
  { expired = false }: CrlOptions,
): string {
  const crl = issueCrl(signer, {
    revoked: [...revoked].map(([serialNumber, date]) => ({ serialNumber, date })),
    thisUpdate: new Date(now - (expired ? 2 * HOUR : BACKDATE)),
    nextUpdate: new Date(now + (expired ? -HOUR : 24 * HOUR)),
    number,
  });
  return encodePem("X509 CRL", crl.der);
}

function sign(
  signer: Authority,
  options: TestIssueOptions,
  now: number,
): { certificate: Certificate; key: KeyObject; keyFormat: KeyFormat } {
  const { dnsNames = ["localhost"], ips = ["127.0.0.1"], uris, keyOf } = options;
  const key = keyOf?.key ?? generateKey(options.algorithm ?? "ecdsa-p256").privateKey;
  const certificate = issueCertificate(signer, createPublicKey(key), {
    subject: `CN=${options.commonName ?? dnsNames[0] ?? "leaf"}`,
    dnsNames,
    ips,
    ...(uris ? { uris } : {}),
    notBefore: options.notBefore ?? new Date(now - BACKDATE),
    notAfter: options.notAfter ?? new Date(now + (options.ttlMs ?? HOUR)),
    ...defective(options.defect, now),
    ...options.extra,
  });
  return { certificate, key, keyFormat: options.keyFormat ?? "pkcs8" };
}

function defective(defect: IssueDefect | undefined, now: number): Partial<IssueOptions> {
  switch (defect) {
    case "expired":
      return { notBefore: new Date(now - 2 * HOUR), notAfter: new Date(now - HOUR) };
    case "not_yet_valid":
      return { notBefore: new Date(now + HOUR), notAfter: new Date(now + 2 * HOUR) };
    case "server_auth_only":
      return { extendedKeyUsage: [EKU.serverAuth] };
    case "no_extended_key_usage":
      return { extendedKeyUsage: null };
    case "ca_as_leaf":
      return { isCa: true, keyUsage: ["digitalSignature", "keyCertSign", "cRLSign"] };
    default:
      return {};
  }
}
