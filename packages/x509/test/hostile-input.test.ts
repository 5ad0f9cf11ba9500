import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCertificate, parseCertificates } from "../src/certificate.ts";
import { type CertificateRevocationList, parseCrl } from "../src/crl.ts";
import { issueCrl } from "../src/crl-issue.ts";
import { createCsr, parseCsr, verifyCsr } from "../src/csr.ts";
import { X509Error } from "../src/error.ts";
import { generateKey } from "../src/generate-key.ts";
import { createRoot, issueCertificate } from "../src/issue.ts";
import { keyMatchesCertificate, parsePkcs8, parsePrivateKey } from "../src/key.ts";
import { formatName, nameKey } from "../src/name.ts";
import { encodePem } from "../src/pem.ts";
import { verifySignature } from "../src/signature.ts";
import { allNodes, type DerNode, edit } from "./der-tree.ts";

// Parsers are given what an attacker might send: they answer, or throw X509Error, and do so at once.

const root = createRoot({ subject: "CN=root,C=DE", notAfter: new Date("2099-01-01T00:00:00Z") });
const { privateKey, publicKey } = generateKey();
const certificate = issueCertificate(root, publicKey, {
  subject: "CN=leaf+OU=x,O=Shop",
  dnsNames: ["a.shop"],
  uris: ["spiffe://shop/a"],
  ips: ["10.0.0.1", "::1"],
  emails: ["a@shop.example"],
  otherNames: [{ type: "directory", name: root.certificate.subject }],
  notAfter: new Date("2099-01-01T00:00:00Z"),
  isCa: true,
  pathLength: 2,
  nameConstraints: {
    permitted: [{ type: "ip", value: "10.0.0.0/8" }],
    excluded: [{ type: "dns", value: "b" }],
  },
  crlDistributionPoints: ["http://crl.shop/1"],
});
const date = new Date("2026-01-01T00:00:00Z");
const list = issueCrl(root, {
  revoked: [
    { serialNumber: "8f01", date, reason: "superseded" },
    { serialNumber: "02", date },
  ],
  thisUpdate: date,
  nextUpdate: new Date("2027-01-01T00:00:00Z"),
  number: 5,
});
const request = createCsr(privateKey, { subject: "CN=x", dnsNames: ["a"], keyUsage: ["digitalSignature"] });

/** Octets changed, removed or put in, without regard to structure. */
function mangled(der: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(der.length), fc.nat(3), fc.uint8Array({ maxLength: 4 }));
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) =>
    changes.reduce<Uint8Array>((octets, [position, remove, insert]) => {
      const from = Math.min(position, octets.length);
      return Buffer.concat([octets.subarray(0, from), insert, octets.subarray(from + remove)]);
    }, der),
  );
}

/** Structure kept, meaning lost: elements changed, dropped, doubled, swapped, or given another tag. */
function restructured(der: Uint8Array): fc.Arbitrary<Uint8Array> {
  const kinds = ["drop", "double", "swap", "tag", "content", "empty"] as const;
  const change = fc.record({
    kind: fc.constantFrom(...kinds),
    which: fc.nat(),
    other: fc.nat(),
    tag: fc.constantFrom(
      0x01,
      0x02,
      0x03,
      0x04,
      0x05,
      0x06,
      0x0c,
      0x13,
      0x16,
      0x17,
      0x18,
      0x1e,
      0x81,
      0x82,
      0x87,
    ),
    content: fc.uint8Array({ maxLength: 12 }),
  });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) =>
    edit(der, (tree) => {
      for (const { kind, which, other, tag, content } of changes) {
        const parents = allNodes(tree).filter(
          (node) => Array.isArray(node.content) && node.content.length > 0,
        );
        const parent = parents[which % parents.length];
        if (parent === undefined) return;
        const children = parent.content as DerNode[];
        const index = other % children.length;
        const child = children[index] as DerNode;
        if (kind === "drop") children.splice(index, 1);
        else if (kind === "double") children.splice(index, 0, child);
        else if (kind === "swap") children.reverse();
        else if (kind === "empty") child.content = Array.isArray(child.content) ? [] : new Uint8Array();
        else if (kind === "content")
          children[index] = { tag: (child.tag & 0x20) === 0 ? child.tag : tag, content };
        else if (!Array.isArray(child.content)) child.tag = tag;
      }
    }),
  );
}

function useCertificate(der: Uint8Array): void {
  const parsed = parseCertificate(der);
  expect(Buffer.from(parsed.der).equals(der)).toBe(true);
  expect(parsed.sha256).toHaveLength(64);
  formatName(parsed.subject);
  nameKey(parsed.issuer);
  verifySignature(parsed.tbs, parsed.signatureAlgorithm, parsed.signature, root.certificate.publicKey);
  keyMatchesCertificate(privateKey, parsed);
}

function useList(der: Uint8Array): void {
  const parsed: CertificateRevocationList = parseCrl(der);
  for (const serial of ["8f01", "02", "03", "ff".repeat(70)]) parsed.isRevoked(serial);
  verifySignature(parsed.tbs, parsed.signatureAlgorithm, parsed.signature, root.certificate.publicKey);
}

function useRequest(der: Uint8Array): void {
  const parsed = parseCsr(encodePem("CERTIFICATE REQUEST", der));
  formatName(parsed.subject);
  verifyCsr(parsed);
}

const tallies: Record<string, { read: number; refused: number }> = {};

function onlyOwnErrors(name: string, use: (der: Uint8Array) => void): (der: Uint8Array) => void {
  const tally = { read: 0, refused: 0 };
  tallies[name] = tally;
  return (der) => {
    try {
      use(der);
      tally.read++;
    } catch (error) {
      if (!(error instanceof X509Error)) throw error;
      tally.refused++;
    }
  };
}

describe.each([
  ["certificate", certificate.der, useCertificate],
  ["revocation list", list.der, useList],
  ["certificate request", request, useRequest],
])("%s", (name, der, use) => {
  const options = { numRuns: 3000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true };

  test("random damage", () => {
    fc.assert(fc.property(mangled(der), onlyOwnErrors(`${name} mangled`, use)), options);
  });

  test("damage that keeps the structure", () => {
    fc.assert(fc.property(restructured(der), onlyOwnErrors(`${name} restructured`, use)), options);
    // Both outcomes must have been met, else the damage was too light or too heavy to test anything.
    expect(tallies[`${name} restructured`]?.read).toBeGreaterThan(20);
    expect(tallies[`${name} restructured`]?.refused).toBeGreaterThan(20);
  });

  test("every prefix is refused", () => {
    for (let length = 0; length < der.length; length++) {
      expect(() => use(der.subarray(0, length))).toThrow(X509Error);
    }
  });

  test("every octet flipped", () => {
    const check = onlyOwnErrors(`${name} flipped`, use);
    for (let position = 0; position < der.length; position++) {
      for (const mask of [0x01, 0x20, 0x80, 0xff]) {
        const flipped = new Uint8Array(der);
        flipped[position] = (flipped[position] ?? 0) ^ mask;
        check(flipped);
      }
    }
  });
});

test("what is read from a damaged certificate is what OpenSSL reads from it", () => {
  let both = 0;
  fc.assert(
    fc.property(restructured(certificate.der), (der) => {
      const own = attempt(() => parseCertificate(der));
      const other = attempt(() => new X509Certificate(der));
      if (own === undefined || other === undefined) return;
      both++;
      const names = own.subjectAltNames.flatMap((name) => (name.type === "dns" ? [`DNS:${name.value}`] : []));
      const otherNames = other.subjectAltName?.split(", ").filter((name) => name.startsWith("DNS:")) ?? [];
      // Node quotes names with odd characters.
      if (names.every((name) => /^[\w:.*-]*$/.test(name))) expect(names).toEqual(otherNames);
      expect(own.sha256).toBe(other.fingerprint256.replaceAll(":", "").toLowerCase());
      if (own.notAfter.getUTCFullYear() >= 1000) expect(own.notAfter).toEqual(new Date(other.validTo));
      // OpenSSL's flag is stricter: it asks for keyCertSign, and for extensions that it can read.
      if (other.ca) expect(own.basicConstraints?.cA).toBe(true);
    }),
    { numRuns: 3000 },
  );
  expect(both).toBeGreaterThan(100);

  function attempt<T>(parse: () => T): T | undefined {
    try {
      return parse();
    } catch {
      return undefined;
    }
  }
});

test("damaged key files", () => {
  const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  const text = fc
    .tuple(fc.nat(pem.length), fc.nat(9), fc.string({ maxLength: 3 }))
    .map(([position, remove, insert]) => pem.slice(0, position) + insert + pem.slice(position + remove));
  const check = onlyOwnErrors("keys", (octets) => parsePrivateKey(octets));
  fc.assert(
    fc.property(text, (damaged) => check(Buffer.from(damaged))),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(mangled(der), (damaged) => check(Buffer.from(encodePem("PRIVATE KEY", damaged)))),
    { numRuns: 1000 },
  );
});

test("damaged PKCS#8", () => {
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  fc.assert(
    fc.property(
      mangled(der),
      onlyOwnErrors("pkcs8", (octets) => parsePkcs8(octets)),
    ),
    { numRuns: 1000 },
  );
});

test("arbitrary octets and texts", () => {
  const check = onlyOwnErrors("arbitrary", (octets) => {
    parseCertificates(octets);
  });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check), { numRuns: 1000 });
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => check(Buffer.from(text))),
    { numRuns: 1000 },
  );
});

test("the worst inputs of the largest size end within seconds", () => {
  const worst: [string, () => unknown][] = [
    ["nesting", () => parseCrl(new Uint8Array(60_000_000).fill(0x30))],
    ["indefinite lengths", () => parseCrl(Buffer.from("3080".repeat(1_000_000), "hex"))],
    [
      "a list of nothing but empty elements",
      () => parseCrl(flat(Buffer.from("0500".repeat(15_000_000), "hex"))),
    ],
    [
      "a list of nothing but empty entries",
      () => parseCrl(flat(Buffer.from("3000".repeat(15_000_000), "hex"))),
    ],
    [
      "a name of two thousand attributes",
      () => parseCertificate(flat(Buffer.from("3100".repeat(1990), "hex"))),
    ],
  ];
  for (const [name, parse] of worst) {
    const started = performance.now();
    expect(parse, name).toThrow(X509Error);
    expect(performance.now() - started, name).toBeLessThan(10_000);
  }

  function flat(content: Uint8Array): Uint8Array {
    const header = Buffer.alloc(6, 0x30);
    header.writeUInt8(content.length < 65_536 ? 0x82 : 0x84, 1);
    if (content.length < 65_536) header.writeUInt16BE(content.length, 2);
    else header.writeUInt32BE(content.length, 2);
    return Buffer.concat([header.subarray(0, content.length < 65_536 ? 4 : 6), content]);
  }
});
