import { createPublicKey, type KeyObject } from "node:crypto";
import {
  type Authority,
  type Certificate,
  createRoot,
  encodeCertificates,
  generateKey,
  issueCertificate,
} from "@newleaf/x509";
import { type Clock, systemClock } from "../src/clock.ts";
import type { Generation } from "../src/generation.ts";
import { createIdentityHolder } from "../src/identity-holder.ts";
import type { IdentitySource } from "../src/identity-source.ts";

const HOUR = 3_600_000;

export interface Leaf {
  readonly certificate: Certificate;
  readonly key: KeyObject;
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface LeafOptions {
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly clock?: Clock;
}

/** A root of one day. */
export function createAuthority(name = "test", clock: Clock = systemClock): Authority {
  const now = clock.now();
  return createRoot({
    subject: `CN=${name} root`,
    notBefore: new Date(now - HOUR),
    notAfter: new Date(now + 24 * HOUR),
  });
}

/** A leaf for 127.0.0.1 and localhost, good for both directions. */
export function issueLeaf(authority: Authority, options: LeafOptions = {}): Leaf {
  const { clock = systemClock, dnsNames = ["localhost"], uris = [] } = options;
  const key = generateKey().privateKey;
  const certificate = issueCertificate(authority, createPublicKey(key), {
    subject: `CN=${dnsNames[0] ?? "leaf"}`,
    dnsNames,
    uris,
    ips: ["127.0.0.1"],
    notBefore: options.notBefore ?? new Date(clock.now() - 60_000),
    notAfter: options.notAfter ?? new Date(clock.now() + HOUR),
  });
  return {
    certificate,
    key,
    certificatePem: encodeCertificates([certificate]),
    keyPem: key.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

export interface RotatingIdentity {
  readonly source: IdentitySource;
  readonly authority: Authority;
  /** Offers a new leaf; the options last for this call. */
  rotate(
    change?: LeafOptions & { readonly authority?: Authority; readonly trust?: readonly Certificate[] },
  ): Generation;
  /** Another trust bundle for the same leaf. */
  trust(certificates: readonly Certificate[]): Generation;
  /** Offers a leaf with somebody else's key. */
  spoil(): void;
}

/** A source that rotates when told to. */
export function createRotatingIdentity(
  options: LeafOptions & { readonly authority?: Authority } = {},
): RotatingIdentity {
  const { authority = createAuthority("test", options.clock) } = options;
  const holder = createIdentityHolder({ ...(options.clock ? { clock: options.clock } : {}) });
  let leaf = issueLeaf(authority, options);
  let trusted: readonly Certificate[] = [authority.certificate];
  const offer = (): Generation => {
    const result = holder.offer({ certificates: [leaf.certificate], key: leaf.key, trust: trusted });
    if (result.outcome === "refused") throw new Error(result.refusal.message);
    return result.generation;
  };
  offer();
  return {
    source: holder.asSource({ reload: async () => {}, close: async () => {} }),
    authority,
    rotate(change = {}) {
      const { authority: issuer = authority, trust = trusted, ...leafOptions } = change;
      leaf = issueLeaf(issuer, { ...options, ...leafOptions });
      trusted = trust;
      return offer();
    },
    trust(certificates) {
      trusted = certificates;
      return offer();
    },
    spoil() {
      holder.offer({ certificates: [leaf.certificate], key: generateKey().privateKey, trust: trusted });
    },
  };
}
