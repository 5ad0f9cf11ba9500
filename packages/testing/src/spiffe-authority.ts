import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import type { Certificate } from "@newleaf/x509";
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify, SignJWT } from "jose";
import { createTestAuthority, type TestAuthority, type TestIssueOptions } from "./test-authority.ts";
import type { TestIdentity } from "./test-identity.ts";

/** An X.509-SVID with its key, and the form in which the Workload API delivers it. */
export interface IssuedX509Svid {
  readonly spiffeId: string;
  readonly hint: string;
  readonly identity: TestIdentity;
  /** Leaf and intermediates, concatenated DER. */
  readonly certificates: Uint8Array;
  /** PKCS#8 DER. */
  readonly key: Uint8Array;
}

export interface X509SvidOptions {
  /** Default `/workload`; or another ID altogether with `spiffeId`. */
  readonly path?: string;
  readonly spiffeId?: string;
  readonly hint?: string;
  /** Anything else that the authority underneath can issue, defects included. */
  readonly issue?: TestIssueOptions;
  readonly ttlMs?: number;
}

export interface JwtSvidOptions {
  readonly audience: string | readonly string[];
  readonly path?: string;
  readonly spiffeId?: string;
  /** Default five minutes. */
  readonly ttlMs?: number;
  /** Further claims, or other values for those above. */
  readonly claims?: JWTPayload;
}

/**
 * The authority of a trust domain: signs SVIDs of both kinds and rolls over as SPIRE does. `prepare` publishes the next
 * authority, `activate` signs with it, `retire` takes the old one out of the bundles.
 */
export interface SpiffeAuthority {
  /** `example.org`. */
  readonly trustDomain: string;
  /** `spiffe://example.org`. */
  readonly id: string;
  /** What signs X.509-SVIDs now. */
  readonly x509: TestAuthority;
  readonly x509Authorities: readonly Certificate[];
  /** The X.509 authorities as concatenated DER. */
  x509Bundle(): Uint8Array;
  /** The JWT authorities as the Workload API delivers them: a plain JWK Set. */
  jwtBundle(): Uint8Array;
  /** Both as a SPIFFE bundle document, as a bundle endpoint serves it. */
  bundleDocument(about?: { sequence?: number | bigint; refreshHintSeconds?: number }): string;
  issueX509Svid(options?: X509SvidOptions): IssuedX509Svid;
  issueJwtSvid(options: JwtSvidOptions): Promise<string>;
  /** The claims of a JWT-SVID that these keys signed; throws otherwise. */
  verifyJwtSvid(token: string, audience: string): Promise<JWTPayload>;
  prepare(): void;
  activate(): void;
  retire(): void;
}

export interface SpiffeAuthorityOptions {
  readonly trustDomain?: string;
  /** Sign SVIDs with an intermediate that is delivered in the chain. */
  readonly intermediate?: boolean;
  /** Life of X.509-SVIDs, one hour by default. */
  readonly ttlMs?: number;
  readonly now?: () => number;
}

const MINUTE = 60_000;

/** Creates the keys of a trust domain, `example.org` unless named. */
export function createSpiffeAuthority(options: SpiffeAuthorityOptions = {}): SpiffeAuthority {
  const { trustDomain = "example.org", intermediate = false, now = Date.now } = options;
  const id = `spiffe://${trustDomain}`;
  const createKeys = (): Keys => ({
    x509: createTestAuthority({ name: trustDomain, intermediate, now }),
    jwt: createJwtKey(),
  });
  let active = createKeys();
  let published: readonly Keys[] = [active];

  const authorities = (): readonly Certificate[] => published.flatMap(({ x509 }) => x509.certificates);
  const idOf = (subject: { readonly path?: string; readonly spiffeId?: string }): string =>
    subject.spiffeId ?? `${id}${subject.path ?? "/workload"}`;

  return {
    trustDomain,
    id,
    get x509() {
      return active.x509;
    },
    get x509Authorities() {
      return authorities();
    },
    x509Bundle: () => concatenate(authorities()),
    jwtBundle: () => encode({ keys: published.map(({ jwt }) => jwt.publicJwk) }),
    bundleDocument: ({ sequence = 1, refreshHintSeconds } = {}) => {
      const x509Keys = authorities().map((certificate) => ({
        ...certificate.publicKey.export({ format: "jwk" }),
        use: "x509-svid",
        x5c: [Buffer.from(certificate.der).toString("base64")],
      }));
      const jwtKeys = published.map(({ jwt }) => ({ ...jwt.publicJwk, use: "jwt-svid" }));
      const hint = refreshHintSeconds === undefined ? "" : `,"spiffe_refresh_hint":${refreshHintSeconds}`;
      // By hand, since a sequence may be beyond what JSON.stringify can write.
      return `{"keys":${JSON.stringify([...x509Keys, ...jwtKeys])},"spiffe_sequence":${sequence}${hint}}`;
    },
    issueX509Svid: (svid = {}) => {
      const ttlMs = svid.ttlMs ?? options.ttlMs;
      const spiffeId = idOf(svid);
      const identity = active.x509.issue({
        uris: [spiffeId],
        dnsNames: [],
        ips: [],
        ...(ttlMs !== undefined && { ttlMs }),
        ...svid.issue,
        extra: { subject: "O=SPIRE,C=US", ...svid.issue?.extra },
      });
      return {
        spiffeId,
        hint: svid.hint ?? "",
        identity,
        certificates: concatenate([identity.certificate, ...identity.intermediates]),
        key: identity.key.export({ type: "pkcs8", format: "der" }),
      };
    },
    issueJwtSvid: ({ audience, ttlMs = 5 * MINUTE, claims, ...subject }) => {
      const seconds = Math.floor(now() / 1000);
      const payload: JWTPayload = {
        sub: idOf(subject),
        aud: [audience].flat(),
        iat: seconds,
        exp: seconds + Math.ceil(ttlMs / 1000),
        ...claims,
      };
      const { kid, privateKey } = active.jwt;
      return new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid, typ: "JWT" }).sign(privateKey);
    },
    verifyJwtSvid: async (token, audience) => {
      const keys = createLocalJWKSet({ keys: published.map(({ jwt }) => jwt.publicJwk) } as JSONWebKeySet);
      const { payload } = await jwtVerify(token, keys, { audience, currentDate: new Date(now()) });
      return payload;
    },
    prepare: () => {
      published = [...published, createKeys()];
    },
    activate: () => {
      active = published.at(-1) ?? active;
    },
    retire: () => {
      published = [active];
    },
  };
}

interface JwtKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicJwk: Readonly<Record<string, unknown>>;
}

interface Keys {
  readonly x509: TestAuthority;
  readonly jwt: JwtKey;
}

function createJwtKey(): JwtKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const kid = createHash("sha256").update(randomUUID()).digest("base64url");
  return { kid, privateKey, publicJwk: { ...publicKey.export({ format: "jwk" }), kid } };
}

function concatenate(certificates: readonly Certificate[]): Uint8Array {
  return Buffer.concat(certificates.map(({ der }) => der));
}

function encode(document: object): Uint8Array {
  return Buffer.from(JSON.stringify(document));
}
