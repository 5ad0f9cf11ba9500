import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createTestAuthority } from "@newleaf/testing";
import {
  type Certificate,
  createTrustBundle,
  EXTENSION,
  encodeCertificates,
  encodePem,
  generateKey,
  type IssueOptions,
  issueCertificate,
  parseCrls,
} from "@newleaf/x509";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkMaterial, type GateOptions, type GateRefusal } from "./gate.ts";
import { createGeneration, type Generation } from "./generation.ts";
import type { IdentityMaterial } from "./identity-material.ts";

const authority = createTestAuthority({ intermediate: true });
const identity = authority.issue({ dnsNames: ["backend"] });
const good: IdentityMaterial = {
  certificates: identity.chainPem,
  key: identity.keyPem,
  trust: authority.trustPem,
};

const check = (
  material: Partial<IdentityMaterial>,
  previous?: Generation,
  options: GateOptions = {},
): ReturnType<typeof checkMaterial> => checkMaterial({ ...good, ...material }, previous, options, new Date());

function accepted(...args: Parameters<typeof check>) {
  const result = check(...args);
  if (!result.ok) throw new Error(result.message);
  return result;
}

function refused(...args: Parameters<typeof check>): GateRefusal {
  const result = check(...args);
  if (result.ok) throw new Error("accepted");
  return result;
}

function generationOf(material: Partial<IdentityMaterial> = {}): Generation {
  const now = new Date();
  const { identity } = accepted(material);
  return createGeneration(identity, { number: 7, deliveredAt: now, verifiedAt: now });
}

function leafOf(options: Partial<IssueOptions>, key = generateKey()): Partial<IdentityMaterial> {
  const signer = authority.intermediate ?? authority.root;
  const notAfter = new Date(Date.now() + 3_600_000);
  const leaf = issueCertificate(signer, key.publicKey, { subject: "", notAfter, ...options });
  return { certificates: [leaf, signer.certificate], key: key.privateKey };
}

test("a chain in any order is served leaf first, with a warning", () => {
  const [leaf, intermediate] = [identity.certificate, ...identity.intermediates] as [
    Certificate,
    Certificate,
  ];
  expect(accepted({})).toMatchObject({ unchanged: false, warnings: [] });
  const result = accepted(
    { certificates: encodeCertificates([authority.root.certificate, intermediate, leaf]) },
    undefined,
    { names: { certificate: "tls.crt" } },
  );
  expect(result.identity.leaf.sha256).toBe(leaf.sha256);
  expect(result.identity.chain.map(({ sha256 }) => sha256)).toEqual([
    intermediate.sha256,
    authority.root.certificate.sha256,
  ]);
  expect(result.warnings).toEqual([expect.stringMatching(/^tls.crt is not in order; served leaf first/)]);
});

const formats: readonly (readonly [string, (key: KeyObject) => string | Buffer | KeyObject])[] = [
  ["PKCS#8", (key) => key.export({ type: "pkcs8", format: "pem" })],
  ["SEC1", (key) => key.export({ type: "sec1", format: "pem" })],
  [
    "SEC1 behind its parameters",
    (key) =>
      encodePem("EC PARAMETERS", Buffer.from("06082a8648ce3d030107", "hex")) +
      key.export({ type: "sec1", format: "pem" }),
  ],
  ["octets", (key) => Buffer.from(key.export({ type: "pkcs8", format: "pem" }))],
  ["a KeyObject", (key) => key],
];
test.each(formats)("a key as %s is read", (_name, encode) => {
  expect(accepted({ key: encode(identity.key) }).identity.key.equals(identity.key)).toBe(true);
});

test("RSA and Ed25519 keys are read", () => {
  for (const algorithm of ["rsa-2048", "ed25519"] as const) {
    const issued = authority.issue({ algorithm, ...(algorithm === "rsa-2048" && { keyFormat: "pkcs1" }) });
    const material = { certificates: issued.chainPem, key: issued.keyPem };
    expect(accepted(material).identity.leaf.sha256).toBe(issued.certificate.sha256);
  }
});

test("one file may hold certificate and key, a bundle nothing but certificates", () => {
  const combined = identity.keyPem + identity.chainPem;
  accepted({ certificates: combined, key: combined });
  expect(refused({ trust: authority.trustPem + identity.keyPem }).code).toBe("bad_bundle");
  expect(
    refused({ trust: authority.trustPem.replaceAll("CERTIFICATE", "TRUSTED CERTIFICATE") }),
  ).toMatchObject({
    code: "bad_bundle",
    message: "trust bundle holds a TRUSTED CERTIFICATE block; no identity to keep yet",
  });
});

test("parsed and DER forms are taken as they are", () => {
  accepted({
    certificates: [identity.certificate, ...identity.intermediates],
    trust: createTrustBundle(authority.certificates),
    crls: parseCrls(authority.crlPem()),
  });
  accepted({ trust: authority.root.certificate.der });
  expect(refused({ certificates: [] }).code).toBe("empty");
  expect(refused({ trust: createTrustBundle([]) }).code).toBe("empty_bundle");
  expect(refused({ key: createPublicKey(identity.key) }).code).toBe("bad_key");
});

test("the same content is unchanged, and a change of trust or revocation lists alone is not", () => {
  const previous = generationOf();
  const other = createTestAuthority().trustPem;
  expect(accepted({}, previous).unchanged).toBe(true);
  expect(accepted({ trust: authority.trustPem + other }, previous).unchanged).toBe(false);
  expect(accepted({ crls: authority.crlPem() }, previous).unchanged).toBe(false);
  const both = generationOf({ trust: authority.trustPem + other });
  expect(accepted({ trust: other + authority.trustPem }, both).unchanged).toBe(true);
});

test("the same content stays unchanged after it has expired", () => {
  const previous = generationOf();
  const later = new Date(identity.certificate.notAfter.getTime() + 1);
  expect(checkMaterial(good, previous, {}, later)).toMatchObject({ ok: true, unchanged: true });
});

test("identity is the set of URI, DNS and IP names; the common name only without them", () => {
  const previous = generationOf(leafOf({ dnsNames: ["a", "b"], uris: ["spiffe://x/y"] }));
  accepted(leafOf({ subject: "CN=new", dnsNames: ["B", "a"], uris: ["spiffe://x/y"] }), previous);
  expect(refused(leafOf({ dnsNames: ["a"], uris: ["spiffe://x/y"] }), previous).code).toBe(
    "identity_changed",
  );
  expect(refused(leafOf({ dnsNames: ["a", "b"] }), previous)).toMatchObject({
    message: expect.stringContaining("from dns:a, dns:b, uri:spiffe://x/y to dns:a, dns:b"),
  });
  const named = generationOf(leafOf({ subject: "CN=one" }));
  accepted(leafOf({ subject: "CN=one,O=x" }), named);
  expect(refused(leafOf({ subject: "CN=two" }), named).code).toBe("identity_changed");
  accepted(leafOf({ subject: "CN=two" }), named, { allowIdentityChange: true });
});

test("a generation is named by its first URI, DNS name, IP address or common name", () => {
  const named = (options: Partial<IssueOptions>): string => generationOf(leafOf(options)).identity;
  expect(named({ dnsNames: ["d"], uris: ["spiffe://x/y"] })).toBe("spiffe://x/y");
  expect(named({ subject: "CN=c", ips: ["10.0.0.1"] })).toBe("10.0.0.1");
  expect(named({ subject: "CN=c,O=o" })).toBe("c");
  expect(named({ subject: "O=o" })).toBe("O=o");
});

test("validity of a generation is that of all that is served", () => {
  const { notBefore, notAfter, leaf, chain } = generationOf();
  expect(notAfter).toEqual(leaf.notAfter);
  expect(notBefore).toEqual(leaf.notBefore);
  expect(chain).toHaveLength(1);
  const expired = authority.issue({ defect: "expired" });
  const result = refused({ certificates: expired.chainPem, key: expired.keyPem });
  expect(result).toMatchObject({ code: "expired", timeDependent: true, retryAt: undefined });
});

test("refusals that time can mend say when", () => {
  const early = authority.issue({ defect: "not_yet_valid" });
  const result = refused({ certificates: early.chainPem, key: early.keyPem });
  expect(result).toMatchObject({ code: "not_yet_valid", retryAt: early.certificate.notBefore });
  expect(refused({ key: "x" })).toMatchObject({ code: "bad_key", timeDependent: false });
});

test("keys of another kind, and certificates whose key nobody can read, do not match and do not throw", () => {
  expect(refused({ key: generateKey("rsa-2048").privateKey }).code).toBe("key_mismatch");
  expect(refused({ key: generateKey("ed25519").privateKey }).code).toBe("key_mismatch");
  const point = Buffer.from(identity.certificate.subjectPublicKeyInfo.subarray(-64));
  const at = Buffer.from(identity.certificate.der).indexOf(point);
  const der = Buffer.from(identity.certificate.der);
  der.fill(0xff, at, at + 64);
  expect(refused({ certificates: encodePem("CERTIFICATE", der) })).toMatchObject({ code: "key_mismatch" });
});

test("what another call left in OpenSSL's error queue does not refuse a good key", () => {
  generateKey("ed25519").publicKey.equals(identity.certificate.publicKey);
  accepted({});
});

test("an unknown critical extension, a weak key and a key usage that cannot sign are refused", () => {
  const extraExtensions = [{ oid: "1.2.3.4", critical: true, value: Buffer.from([5, 0]) }];
  expect(refused(leafOf({ dnsNames: ["a"], extraExtensions })).code).toBe("unverified_chain");
  expect(refused(leafOf({ dnsNames: ["a"], keyUsage: ["keyEncipherment"] })).code).toBe("unverified_chain");
  accepted(leafOf({ dnsNames: ["a"], omitExtensions: [EXTENSION.keyUsage] }));
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
  expect(refused(leafOf({ dnsNames: ["a"] }, weak)).code).toBe("unverified_chain");
});

test("whatever is cut out of or changed in the material, the gate answers and never accepts less than was issued", () => {
  const parts = ["certificates", "key", "trust"] as const;
  const whole = accepted({}).identity;
  fc.assert(
    fc.property(
      fc.constantFrom(...parts),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(255),
      (part, at, octet) => {
        const bytes = Buffer.from(String(good[part]));
        const index = Math.min(bytes.length - 1, Math.floor(at * bytes.length));
        const mutated = Buffer.from(bytes);
        mutated[index] = octet;
        for (const spoiled of [mutated, bytes.subarray(0, index)]) {
          const result = check({ [part]: spoiled });
          if (!result.ok) continue;
          expect(result.identity.leaf.sha256).toBe(whole.leaf.sha256);
          expect(result.identity.trust.sha256).toBe(whole.trust.sha256);
          expect(result.identity.chain.length).toBe(whole.chain.length);
        }
      },
    ),
    { numRuns: 400 },
  );
});
