import type { CertificateRevocationList } from "../src/crl.ts";
import type { GeneralName } from "../src/general-name.ts";
import { EKU } from "../src/key-usage.ts";
import {
  type CertificateSpec,
  crl,
  damaged,
  days,
  directory,
  dns,
  NOW,
  type Party,
  root,
  unknownExtension,
} from "./certificate-factory.ts";
import { type Chain, chain } from "./chain.ts";
import type { PathCase } from "./openssl-verify.ts";
import { createRandom, type Random } from "./random.ts";

/**
 * A straight chain with any number of faults, none of them one about which this package and openssl differ on
 * purpose. About half of them are good.
 */
export function randomCase(seed: number): PathCase {
  const random = createRandom(seed);
  const made = chain({
    root: caSpec(random, "root"),
    cas: Array.from({ length: random.pick([0, 1, 1, 1, 2, 2, 3, 4]) }, (_, i) => caSpec(random, `ca ${i}`)),
    leaf: leafSpec(random),
  });
  return {
    name: `random chain ${seed}`,
    purpose: random.pick(["clientAuth", "serverAuth"] as const),
    now: NOW,
    ...given(random, made),
  };
}

const TYPES = ["dns", "uri", "email", "ip", "directory"] as const;

const BASES: Readonly<Record<(typeof TYPES)[number], readonly GeneralName[]>> = {
  dns: ["example.com", "a.example.com", ".example.com", "example.org"].map(dns),
  uri: ["example.com", ".example.com", "example.org"].map((value) => ({ type: "uri", value })),
  email: ["example.com", "a@example.com", ".example.com"].map((value) => ({ type: "email", value })),
  ip: ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"].map((value) => ({ type: "ip", value })),
  directory: ["O=Shop", "O=Bank", "OU=x,O=Shop"].map(directory),
};

const NAMES: Readonly<Record<(typeof TYPES)[number], readonly GeneralName[]>> = {
  dns: ["example.com", "a.example.com", "b.a.example.com", "*.example.com", "example.org"].map(dns),
  uri: ["spiffe://example.com/a", "spiffe://a.example.com/a", "https://example.org/"].map((value) => ({
    type: "uri",
    value,
  })),
  email: ["a@example.com", "b@example.com", "a@a.example.com"].map((value) => ({ type: "email", value })),
  ip: ["10.0.0.1", "10.1.0.1", "192.168.0.1", "2001:db8::1"].map((value) => ({ type: "ip", value })),
  directory: ["CN=a,O=Shop", "CN=a,OU=x,O=Shop", "CN=a,O=Bank"].map(directory),
};

function names(random: Random, pool: typeof BASES, count: number): readonly GeneralName[] {
  return Array.from({ length: count }, () => random.pick(pool[random.pick(TYPES)]));
}

function constraints(random: Random): Partial<CertificateSpec> {
  if (!random.chance(0.15)) return {};
  return random.chance(0.5)
    ? { permitted: names(random, BASES, 1 + random.below(2)) }
    : // An excluded name that a wildcard only covers in part is where openssl looks away.
      { excluded: names(random, { ...BASES, dns: ["example.com", "example.org"].map(dns) }, 1) };
}

const CA_FAULTS: readonly Partial<CertificateSpec>[] = [
  { to: days(-1) },
  { from: days(1) },
  { pathLength: 0 },
  { pathLength: 0 },
  { pathLength: 1 },
  { usages: ["cRLSign"] },
  { usages: ["keyCertSign"] },
  { usages: null },
  { ca: false },
  { purposes: [EKU.clientAuth] },
  { purposes: [EKU.serverAuth] },
  { purposes: [EKU.serverAuth, EKU.clientAuth] },
  { purposes: [EKU.codeSigning] },
  { extra: [unknownExtension(true)] },
  { extra: [unknownExtension(false)] },
  { kind: "rsa2048", keyName: "rsa2048" },
  { kind: "rsa1024", keyName: "rsa1024" },
  { kind: "ed25519" },
  { kind: "p384" },
  { hash: "sha384" },
  { hash: "sha1" },
  { subjectKeyIdentifier: null },
  { version: 1 },
];

function caSpec(random: Random, name: string): CertificateSpec {
  const subject = random.pick([name, `CN=${name},O=Shop`]);
  return {
    subject,
    ...constraints(random),
    ...(random.chance(0.2) ? random.pick(CA_FAULTS) : {}),
  };
}

const LEAF_FAULTS: readonly Partial<CertificateSpec>[] = [
  { to: days(-1) },
  { from: days(1) },
  { usages: ["nonRepudiation"] },
  { usages: null },
  { ca: undefined },
  { purposes: [EKU.clientAuth] },
  { purposes: [EKU.serverAuth] },
  { purposes: [EKU.codeSigning] },
  { extra: [unknownExtension(true)] },
  { kind: "rsa1024", keyName: "rsa1024" },
  { kind: "rsa2048", keyName: "rsa2048" },
  { kind: "ed25519" },
  { hash: "sha1" },
  { issuer: "somebody else" },
];

function leafSpec(random: Random): Partial<CertificateSpec> {
  return {
    subject: random.pick(["CN=leaf,O=Shop", "CN=a.example.com,O=Shop", "CN=leaf,OU=x,O=Shop", "CN=leaf"]),
    keyName: "leaf",
    names: names(random, NAMES, 1 + random.below(3)),
    purposes: [EKU.clientAuth, EKU.serverAuth],
    ...(random.chance(0.2) ? random.pick(LEAF_FAULTS) : {}),
  };
}

function given(random: Random, made: Chain): Pick<PathCase, "leaf" | "trust" | "intermediates" | "crls"> {
  const noise = root({ subject: random.pick(["root", "noise"]), keyName: "noise" }).certificate;
  const useIntermediate = made.cas.length > 0 && random.chance(0.1);
  const trust = useIntermediate ? [random.pick(made.intermediates)] : made.trust;
  const sent = made.intermediates.filter(() => !random.chance(0.04));
  return {
    leaf: (random.chance(0.03) ? damaged(made.leafParty) : made.leafParty).certificate,
    trust: random.chance(0.1) ? [...trust, noise] : trust,
    intermediates: random.shuffle(random.chance(0.2) ? [...sent, noise] : sent),
    // openssl wants a list for an intermediate anchor too.
    ...(!useIntermediate && random.chance(0.3) ? { crls: lists(random, made) } : {}),
  };
}

function lists(random: Random, made: Chain): readonly CertificateRevocationList[] {
  const line: readonly Party[] = [made.root, ...made.cas, made.leafParty];
  return line.slice(0, -1).flatMap((party, index) => {
    const certificate = line[index + 1]?.certificate;
    if (certificate === undefined || random.chance(0.05)) return [];
    if (random.chance(0.05)) return [crl(party, { thisUpdate: days(-9), nextUpdate: days(-1) })];
    if (random.chance(0.05)) return [crl(party, { thisUpdate: days(1) })];
    if (random.chance(0.05)) return [crl(party, { revoked: [{ certificate, reason: 1 }] })];
    // The root itself needs a list in openssl, which this one is as well.
    return [crl(party)];
  });
}
