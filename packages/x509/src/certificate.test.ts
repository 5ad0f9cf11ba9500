import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { at, type DerNode, edit } from "../test/der-tree.ts";
import { type Certificate, encodeCertificates, parseCertificate, parseCertificates } from "./certificate.ts";
import { contextTag, TAG } from "./der.ts";
import { boolean, encode, generalizedTime, octetString, oid, sequence } from "./der-writer.ts";
import { EXTENSION } from "./extension.ts";
import { generateKey } from "./generate-key.ts";
import { createRoot, issueCertificate } from "./issue.ts";
import { encodePem } from "./pem.ts";

const notAfter = new Date("2099-01-01T00:00:00Z");
const root = createRoot({ subject: "CN=root,O=Shop,C=DE", notAfter });
const { publicKey } = generateKey();
const leaf = issueCertificate(root, publicKey, {
  subject: "CN=leaf",
  dnsNames: ["a.shop"],
  serialNumber: "5a5a",
  notAfter,
});

// Children of the TBSCertificate that this package writes.
const SERIAL = 1;
const VALIDITY = 4;
const EXTENSIONS = 7;

const reparse = (change: (tbs: DerNode, whole: DerNode) => void) =>
  parseCertificate(edit(leaf.der, (whole) => change(at(whole, 0), whole)));

/** The leaf with the value of one extension replaced, or with that extension added. */
const withExtension = (id: string, value: Uint8Array, critical?: boolean) =>
  issueCertificate(root, publicKey, {
    subject: "CN=leaf",
    notAfter,
    omitExtensions: [],
    keyUsage: null,
    extendedKeyUsage: null,
    extraExtensions: [{ oid: id, critical: critical ?? false, value }],
  });
const codes = ({ warnings }: Certificate) => warnings.map(({ code }) => code);
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replace(/ /g, ""), "hex"));
const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ name: "X509Error", code, message: expect.stringMatching(message) });

describe("what is read", () => {
  test("agrees with node's X509Certificate", () => {
    const { privateKey } = generateKey("ed25519");
    const full = issueCertificate(root, publicKey, {
      subject: "CN=backend,OU=web,O=Shop,C=DE",
      dnsNames: ["a.shop", "*.b.shop"],
      uris: ["spiffe://shop/backend"],
      ips: ["10.0.0.1", "2001:db8::1"],
      emails: ["ops@shop.example"],
      notBefore: new Date("2024-02-29T12:34:56Z"),
      notAfter: new Date("2051-03-01T00:00:00Z"),
    });
    const other = new X509Certificate(full.der);
    expect(full.sha256).toBe(other.fingerprint256.replaceAll(":", "").toLowerCase());
    expect(full.serialNumber).toBe(other.serialNumber.toLowerCase());
    expect(full.notBefore).toEqual(new Date(other.validFrom));
    expect(full.notAfter).toEqual(new Date(other.validTo));
    expect(full.publicKey.equals(other.publicKey)).toBe(true);
    expect(full.extendedKeyUsage).toEqual(other.keyUsage);
    expect(full.subjectAltNames.map((name) => ("value" in name ? `${name.type}:${name.value}` : ""))).toEqual(
      [
        "dns:a.shop",
        "dns:*.b.shop",
        "uri:spiffe://shop/backend",
        "ip:10.0.0.1",
        "ip:2001:db8::1",
        "email:ops@shop.example",
      ],
    );
    expect(other.checkIssued(new X509Certificate(root.certificate.der))).toBe(true);
    expect(other.verify(root.certificate.publicKey)).toBe(true);
    expect(other.checkPrivateKey(privateKey)).toBe(false);
    expect(full.version).toBe(3);
    expect(full.warnings).toEqual([]);
  });

  test("identity and slices are of an own copy", () => {
    const buffer = Buffer.concat([Buffer.alloc(1000), leaf.der]);
    const parsed = parseCertificate(buffer.subarray(1000));
    buffer.fill(0);
    expect(parsed.sha256).toBe(leaf.sha256);
    expect(parsed.der.buffer.byteLength).toBe(leaf.der.length);
    for (const slice of [parsed.tbs, parsed.signature, parsed.subjectPublicKeyInfo, parsed.subject.der]) {
      expect(slice.buffer).toBe(parsed.der.buffer);
    }
  });

  test("a key node cannot use shows when it is asked for", () => {
    const parsed = reparse((tbs) => {
      at(tbs, 6, 0, 0).content = bytes("2a0304");
    });
    expect(parsed.subject.commonName).toBe("leaf");
    expect(() => parsed.publicKey).toThrowError(refused("ERR_X509_KEY", /public key/));
  });

  test("PEM: all of them, in order, other blocks passed over", () => {
    const text = `${encodePem("PRIVATE KEY", bytes("00"))}${encodeCertificates([leaf, root.certificate])}`;
    expect(parseCertificates(text).map(({ sha256 }) => sha256)).toEqual([
      leaf.sha256,
      root.certificate.sha256,
    ]);
    expect(parseCertificates(Buffer.from(text))).toHaveLength(2);
    expect(parseCertificates(leaf.der)).toHaveLength(1);
    expect(parseCertificates(encodePem("X509 CERTIFICATE", leaf.der))).toHaveLength(1);
    expect(parseCertificates("nothing")).toEqual([]);
    expect(parseCertificates(new Uint8Array())).toEqual([]);
    expect(() => parseCertificates(text.slice(0, -30))).toThrowError(refused("ERR_X509_PEM", /END/));
    expect(() => parseCertificates(encodePem("TRUSTED CERTIFICATE", leaf.der))).toThrowError(
      refused("ERR_X509_PEM", /TRUSTED/),
    );
    expect(() => parseCertificates(encodePem("CERTIFICATE", bytes("3000")))).toThrowError(
      refused("ERR_X509_DER", /missing/),
    );
  });
});

describe("damage", () => {
  test("octets after the certificate", () => {
    expect(() => parseCertificate(Buffer.concat([leaf.der, bytes("00")]))).toThrowError(
      refused("ERR_X509_DER", /./),
    );
    expect(() => parseCertificate(Buffer.concat([leaf.der, leaf.der]))).toThrowError(
      refused("ERR_X509_DER", /after certificate/),
    );
  });

  test.each<[string, (tbs: DerNode, whole: DerNode) => void, RegExp]>([
    ["version 4", (tbs) => (at(tbs, 0, 0).content = bytes("03")), /version is not between/],
    ["serial number with a needless zero", (tbs) => (at(tbs, SERIAL).content = bytes("0001")), /shortest/],
    ["serial number without octets", (tbs) => (at(tbs, SERIAL).content = bytes("")), /without octets/],
    [
      "other algorithm inside",
      (tbs) => (at(tbs, 2, 0).content = bytes("2a8648ce3d040303")),
      /algorithm differ/,
    ],
    [
      "time that is none",
      (tbs) => (at(tbs, VALIDITY, 0).content = Buffer.from("991332000000Z")),
      /not of the form/,
    ],
    [
      "third time",
      (tbs) => (at(tbs, VALIDITY).content as DerNode[]).push(at(tbs, VALIDITY, 0)),
      /after validity/,
    ],
    ["signature with unused bits", (_, whole) => (at(whole, 2).content = bytes("0100fe")), /whole octets/],
    [
      "field after the extensions",
      (tbs) => (tbs.content as DerNode[]).push(at(tbs, SERIAL)),
      /after certificate fields/,
    ],
    [
      "field after the signature",
      (_, whole) => (whole.content as DerNode[]).push(at(whole, 2)),
      /after certificate/,
    ],
    ["empty extensions", (tbs) => (at(tbs, EXTENSIONS, 0).content = []), /extensions are empty/],
    ["no signature", (_, whole) => (whole.content as DerNode[]).pop(), /signature is missing/],
    [
      "the same extension twice",
      (tbs) => (at(tbs, EXTENSIONS, 0).content as DerNode[]).push(at(tbs, EXTENSIONS, 0, 0)),
      /appears twice/,
    ],
  ])("%s", (_, change, message) => {
    expect(() => reparse(change)).toThrowError(
      expect.objectContaining({ name: "X509Error", message: expect.stringMatching(message) }),
    );
  });

  test.each<[string, string, Uint8Array, RegExp]>([
    ["basic constraints of no sequence", EXTENSION.basicConstraints, bytes("0500"), /should have tag 0x30/],
    [
      "negative path length",
      EXTENSION.basicConstraints,
      sequence(boolean(true), bytes("0201ff")),
      /path length/,
    ],
    ["octets after key usage", EXTENSION.keyUsage, bytes("030205a000"), /cut short/],
    ["key usage without octets", EXTENSION.keyUsage, bytes("030100"), /not a bit string/],
    ["empty extended key usage", EXTENSION.extendedKeyUsage, sequence(), /missing/],
    [
      "DNS name with NUL",
      EXTENSION.subjectAltName,
      sequence(bytes("8203 610062")),
      /DNS name has characters/,
    ],
    [
      "DNS name that is not ASCII",
      EXTENSION.subjectAltName,
      sequence(bytes("8202 c3a4")),
      /DNS name has characters/,
    ],
    ["IP address of 5 octets", EXTENSION.subjectAltName, sequence(bytes("8705 0102030405")), /4 or 16/],
    ["general name [9]", EXTENSION.subjectAltName, sequence(bytes("8900")), /unknown form/],
    ["constructed DNS name", EXTENSION.subjectAltName, sequence(bytes("a200")), /unknown form/],
    [
      "AKI field out of order",
      EXTENSION.authorityKeyIdentifier,
      sequence(bytes("820101"), bytes("800101")),
      /after/,
    ],
    ["empty name constraints", EXTENSION.nameConstraints, sequence(), /empty/],
    ["subtree minimum", EXTENSION.nameConstraints, subtree("820161", "800101"), /minimum/],
    ["subtree maximum", EXTENSION.nameConstraints, subtree("820161", "810101"), /maximum/],
    ["IP range of 4 octets", EXTENSION.nameConstraints, subtree("8704 01020304"), /8 or 32/],
    ["IP mask with a gap", EXTENSION.nameConstraints, subtree("8708 0a000000 ff00ff00"), /prefix/],
    [
      "distribution point without its sequence",
      EXTENSION.crlDistributionPoints,
      sequence(bytes("8000")),
      /0x30/,
    ],
  ])("%s", (_, id, value, message) => {
    const omitExtensions = [id];
    const others = issueCertificate(root, publicKey, { subject: "CN=x", notAfter, omitExtensions });
    const damaged = edit(others.der, (whole) => {
      const list = at(whole, 0, EXTENSIONS, 0).content as DerNode[];
      list.push({
        tag: 0x30,
        content: [
          { tag: TAG.OID, content: oid(id).subarray(2) },
          { tag: 4, content: value },
        ],
      });
    });
    expect(() => parseCertificate(damaged)).toThrowError(refused("ERR_X509_DER", message));
  });

  function subtree(...hex: string[]): Uint8Array {
    return sequence(encode(contextTag(0), [sequence(...hex.map(bytes))]));
  }
});

describe("quirks of real authorities are warnings", () => {
  test.each<[string, (tbs: DerNode, whole: DerNode) => void]>([
    ["serial_not_positive", (tbs) => (at(tbs, SERIAL).content = bytes("00"))],
    ["serial_not_positive", (tbs) => (at(tbs, SERIAL).content = bytes("ff7f"))],
    ["serial_too_long", (tbs) => (at(tbs, SERIAL).content = new Uint8Array(21).fill(1))],
    [
      "time_encoding",
      (tbs) => ((at(tbs, VALIDITY).content as DerNode[])[0] = node(generalizedTime(new Date(0)))),
    ],
    ["default_encoded", (tbs) => (at(tbs, 0, 0).content = bytes("00"))],
    ["extensions_before_version", (tbs) => (at(tbs, 0, 0).content = bytes("01"))],
    [
      "algorithm_mismatch",
      (tbs) => (at(tbs, 2).content as DerNode[]).push({ tag: TAG.NULL, content: bytes("") }),
    ],
    [
      "algorithm_parameters",
      (_, whole) => (at(whole, 1).content as DerNode[]).push({ tag: TAG.NULL, content: bytes("") }),
    ],
    [
      "weak_signature",
      (tbs, whole) => {
        for (const algorithm of [at(tbs, 2), at(whole, 1)])
          at(algorithm, 0).content = bytes("2a8648ce3d0401");
      },
    ],
    [
      "unique_identifier",
      (tbs) => (tbs.content as DerNode[]).splice(7, 0, { tag: 0x81, content: bytes("0001") }),
    ],
    ["boolean_encoding", (tbs) => (at(tbs, EXTENSIONS, 0, 0, 1).content = bytes("01"))],
    ["default_encoded", (tbs) => (at(tbs, EXTENSIONS, 0, 0, 1).content = bytes("00"))],
  ])("%s", (code, change) => {
    expect(codes(reparse(change))).toContain(code);
  });

  test.each<[string, string, Uint8Array, (certificate: Certificate) => unknown, unknown]>([
    [
      "boolean_encoding",
      EXTENSION.basicConstraints,
      sequence(bytes("010101")),
      (c) => c.basicConstraints?.cA,
      true,
    ],
    [
      "default_encoded",
      EXTENSION.basicConstraints,
      sequence(boolean(false)),
      (c) => c.basicConstraints?.cA,
      false,
    ],
    [
      "key_usage_encoding",
      EXTENSION.keyUsage,
      bytes("03020006"),
      (c) => [...(c.keyUsage ?? [])],
      ["keyCertSign", "cRLSign"],
    ],
    [
      "key_usage_encoding",
      EXTENSION.keyUsage,
      bytes("0303070600"),
      (c) => [...(c.keyUsage ?? [])],
      ["keyCertSign", "cRLSign"],
    ],
    [
      "subject_key_identifier_raw",
      EXTENSION.subjectKeyIdentifier,
      bytes("0102030405"),
      (c) => c.subjectKeyIdentifier,
      "0102030405",
    ],
    ["empty_extension", EXTENSION.subjectAltName, sequence(), (c) => c.subjectAltNames, []],
    [
      "default_encoded",
      EXTENSION.nameConstraints,
      sequence(encode(contextTag(0), [sequence(bytes("820161"), bytes("800100"))])),
      (c) => c.nameConstraints?.permitted,
      [{ base: { type: "dns", value: "a" } }],
    ],
  ])("%s in an extension", (code, id, value, pick, expected) => {
    const plain = issueCertificate(root, publicKey, { subject: "CN=x", notAfter, omitExtensions: [id] });
    const certificate = parseCertificate(
      edit(plain.der, (whole) => {
        const list = at(whole, 0, EXTENSIONS, 0).content as DerNode[];
        list.push(node(sequence(oid(id), octetString(value))));
      }),
    );
    expect(codes(certificate)).toEqual([code]);
    expect(pick(certificate)).toEqual(expected);
  });

  test("explicit curve parameters", () => {
    const certificate = reparse((tbs) => {
      (at(tbs, 6, 0).content as DerNode[])[1] = { tag: 0x30, content: [] };
    });
    expect(codes(certificate)).toEqual(["ec_explicit_parameters"]);
  });

  function node(der: Uint8Array): DerNode {
    const nodes: DerNode[] = [];
    edit(der, (root) => nodes.push(root));
    return nodes[0] as DerNode;
  }
});

describe("bounds", () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `host-${i}.shop.example`);

  test("a certificate of more than 16 KiB needs a larger limit", () => {
    const key = { subject: "", dnsNames: names(800), notAfter };
    expect(() => issueCertificate(root, publicKey, key)).toThrowError(refused("ERR_X509_LIMIT", /octets/));
  });

  test("more than 2000 elements, extensions counted", () => {
    const many = sequence(...Array.from({ length: 2500 }, () => bytes("820161")));
    expect(() => withExtension(EXTENSION.subjectAltName, many)).toThrowError(
      refused("ERR_X509_LIMIT", /elements/),
    );
  });

  test("more than 64 extensions", () => {
    const extraExtensions = Array.from({ length: 63 }, (_, i) => ({
      oid: `1.2.3.${i}`,
      critical: false,
      value: bytes("0500"),
    }));
    expect(() =>
      issueCertificate(root, publicKey, { subject: "CN=x", notAfter, extraExtensions }),
    ).toThrowError(refused("ERR_X509_LIMIT", /64 extensions/));
  });

  test("limits can be set", () => {
    expect(() => parseCertificate(leaf.der, { maxBytes: 100 })).toThrowError(
      refused("ERR_X509_LIMIT", /at most 100/),
    );
    expect(parseCertificate(leaf.der, { maxBytes: leaf.der.length }).sha256).toBe(leaf.sha256);
  });
});

test("extensions this package does not know are listed, not judged", () => {
  const certificate = withExtension("1.2.3.4", bytes("ffff"), true);
  expect(certificate.extensions.at(-1)).toMatchObject({ oid: "1.2.3.4", critical: true });
  expect(Buffer.from(certificate.extensions.at(-1)?.value ?? []).toString("hex")).toBe("ffff");
});

test("authority key identifier in issuer and serial form", () => {
  const value = sequence(
    encode(contextTag(1), [encode(contextTag(4), [root.certificate.subject.der])]),
    encode(contextTag(2, "primitive"), [bytes("0123")]),
  );
  const certificate = issueCertificate(root, publicKey, {
    subject: "CN=x",
    notAfter,
    omitExtensions: [],
    extraExtensions: [],
  });
  const changed = parseCertificate(
    edit(certificate.der, (whole) => {
      const list = at(whole, 0, EXTENSIONS, 0).content as DerNode[];
      const authority = list.find(
        (one) => Buffer.from(at(one, 0).content as Uint8Array).toString("hex") === "551d23",
      );
      if (authority) at(authority, 1).content = value;
    }),
  );
  expect(changed.authorityKeyIdentifier).toMatchObject({
    keyIdentifier: undefined,
    serialNumber: "0123",
    issuer: [{ type: "directory" }],
  });
});
