import { verify, X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Certificate } from "./certificate.ts";
import { EXTENSION } from "./extension.ts";
import { generateKey, type KeyAlgorithm } from "./generate-key.ts";
import { createRoot, type IssueOptions, issueCertificate, issueIntermediate } from "./issue.ts";
import { keyIdentifierOf } from "./key-identifier.ts";
import { EKU, KEY_USAGES } from "./key-usage.ts";
import { formatName } from "./name.ts";
import { verifySignature } from "./signature.ts";

const notAfter = new Date("2099-01-01T00:00:00Z");
const root = createRoot({ subject: "CN=root", notAfter });
const { publicKey } = generateKey();
const issue = (options: Partial<IssueOptions>) =>
  issueCertificate(root, publicKey, { subject: "CN=leaf", notAfter, ...options });
const oids = (certificate: Certificate) => certificate.extensions.map(({ oid }) => oid);
const refused = (message: RegExp) =>
  expect.objectContaining({ code: "ERR_X509_ISSUE", message: expect.stringMatching(message) });

describe("defaults", () => {
  test("root", () => {
    const { certificate, key } = root;
    expect(certificate.basicConstraints).toEqual({ cA: true, pathLength: undefined });
    expect([...(certificate.keyUsage ?? [])]).toEqual(["keyCertSign", "cRLSign"]);
    expect(certificate.extendedKeyUsage).toBeUndefined();
    expect(certificate.subjectKeyIdentifier).toBe(keyIdentifierOf(certificate.subjectPublicKeyInfo));
    expect(certificate.authorityKeyIdentifier).toBeUndefined();
    expect(Buffer.from(certificate.issuer.der).equals(certificate.subject.der)).toBe(true);
    expect(key.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(new X509Certificate(certificate.der).ca).toBe(true);
  });

  test("leaf", () => {
    const leaf = issue({ dnsNames: ["a"] });
    expect(leaf.basicConstraints).toEqual({ cA: false, pathLength: undefined });
    expect([...(leaf.keyUsage ?? [])]).toEqual(["digitalSignature"]);
    expect(leaf.extendedKeyUsage).toEqual([EKU.clientAuth, EKU.serverAuth]);
    expect(leaf.authorityKeyIdentifier?.keyIdentifier).toBe(root.certificate.subjectKeyIdentifier);
    expect(leaf.subjectKeyIdentifier).toBe(keyIdentifierOf(leaf.subjectPublicKeyInfo));
    expect(leaf.extensions.filter(({ critical }) => critical).map(({ oid }) => oid)).toEqual([
      EXTENSION.basicConstraints,
      EXTENSION.keyUsage,
    ]);
    expect(Date.now() - leaf.notBefore.getTime()).toBeGreaterThanOrEqual(60_000);
    expect(Date.now() - leaf.notBefore.getTime()).toBeLessThan(120_000);
    expect(leaf.warnings).toEqual([]);
  });

  test("serial numbers are random, positive, and of 20 octets", () => {
    const serials = Array.from({ length: 50 }, () => issue({}).serialNumber);
    expect(new Set(serials).size).toBe(50);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{39}$/);
  });

  test("intermediate", () => {
    const middle = issueIntermediate(root, { subject: "CN=middle", notAfter, pathLength: 0 });
    expect(middle.certificate.basicConstraints).toEqual({ cA: true, pathLength: 0 });
    expect(middle.certificate.publicKey.equals(root.certificate.publicKey)).toBe(false);
    expect(formatName(issueCertificate(middle, publicKey, { subject: "CN=x", notAfter }).issuer)).toBe(
      "CN=middle",
    );
  });
});

describe("options", () => {
  test("alternative names make the extension critical when the subject is empty", () => {
    const leaf = issue({ subject: "", uris: ["spiffe://shop/a"] });
    expect(leaf.subject.attributes).toEqual([]);
    expect(leaf.extensions.find(({ oid }) => oid === EXTENSION.subjectAltName)?.critical).toBe(true);
    const named = issue({ uris: ["spiffe://shop/a"] });
    expect(named.extensions.find(({ oid }) => oid === EXTENSION.subjectAltName)?.critical).toBe(false);
  });

  test("directory and other names", () => {
    const name = root.certificate.subject;
    const other = { type: "other", tag: 8, der: Uint8Array.of(0x88, 1, 0x2a) } as const;
    expect(issue({ otherNames: [{ type: "directory", name }, other] }).subjectAltNames).toMatchObject([
      { type: "directory", name: { commonName: "root" } },
      { type: "other", tag: 8 },
    ]);
  });

  test("validity, serial number, usages, points", () => {
    const leaf = issue({
      notBefore: new Date("1999-12-31T23:59:59Z"),
      notAfter: new Date("2000-01-01T00:00:00Z"),
      serialNumber: "f0",
      keyUsage: ["digitalSignature", "keyEncipherment", "decipherOnly"],
      extendedKeyUsage: [EKU.serverAuth, "1.2.3.4"],
      crlDistributionPoints: ["http://crl.shop/1", "ldap://x"],
    });
    expect(leaf.notBefore.toISOString()).toBe("1999-12-31T23:59:59.000Z");
    expect(leaf.notAfter.toISOString()).toBe("2000-01-01T00:00:00.000Z");
    expect(leaf.serialNumber).toBe("00f0");
    expect([...(leaf.keyUsage ?? [])]).toEqual(["digitalSignature", "keyEncipherment", "decipherOnly"]);
    expect(leaf.extendedKeyUsage).toEqual([EKU.serverAuth, "1.2.3.4"]);
    expect(leaf.crlDistributionPoints).toEqual(["http://crl.shop/1", "ldap://x"]);
  });

  test("what is left out", () => {
    const bare = issue({ keyUsage: null, extendedKeyUsage: null, omitExtensions: Object.values(EXTENSION) });
    expect(bare.extensions).toEqual([]);
    expect(bare.keyUsage).toBeUndefined();
    expect(oids(issue({ omitExtensions: [EXTENSION.authorityKeyIdentifier] }))).not.toContain(
      EXTENSION.authorityKeyIdentifier,
    );
  });

  test("name constraints", () => {
    const { nameConstraints } = issue({
      isCa: true,
      nameConstraints: {
        permitted: [
          { type: "dns", value: "shop" },
          { type: "ip", value: "10.0.0.0/8" },
          { type: "ip", value: "2001:db8::/32" },
          { type: "directory", name: root.certificate.subject },
        ],
        excluded: [{ type: "uri", value: ".evil" }],
      },
    });
    expect(nameConstraints?.permitted.map(({ base }) => ("value" in base ? base.value : base.type))).toEqual([
      "shop",
      "10.0.0.0/8",
      "2001:db8::/32",
      "directory",
    ]);
    expect(nameConstraints?.excluded).toEqual([{ base: { type: "uri", value: ".evil" } }]);
  });

  test("a leaf that says it is a CA, and an unknown critical extension", () => {
    const extra = { oid: "1.2.3.4", critical: true, value: Uint8Array.of(5, 0) };
    const leaf = issue({ isCa: true, pathLength: 3, extraExtensions: [extra] });
    expect(leaf.basicConstraints).toEqual({ cA: true, pathLength: 3 });
    expect(leaf.extensions.at(-1)).toMatchObject({ oid: "1.2.3.4", critical: true });
  });

  test.each<[string, Partial<IssueOptions>, RegExp]>([
    [
      "validity that ends before it begins",
      { notBefore: notAfter, notAfter: new Date(0) },
      /notAfter is before/,
    ],
    ["no date", { notAfter: new Date(Number.NaN) }, /notAfter/],
    ["serial number zero", { serialNumber: "00" }, /serial/],
    ["serial number of 21 octets", { serialNumber: "01".repeat(21) }, /serial/],
    ["serial number of 20 octets that would need 21", { serialNumber: "ff".repeat(20) }, /serial/],
    ["serial number that is not hex", { serialNumber: "xyz" }, /serial/],
    ["empty serial number", { serialNumber: "" }, /serial/],
    ["DNS name that is not ASCII", { dnsNames: ["grüße.shop"] }, /DNS name/],
    ["DNS name with NUL", { dnsNames: ["a\0b"] }, /DNS name/],
    ["empty DNS name", { dnsNames: [""] }, /DNS name/],
    ["URI with a blank", { uris: ["http://a b"] }, /URI/],
    ["not an IP address", { ips: ["10.0.0.256"] }, /IP address/],
    ["range in place of an IP address", { ips: ["10.0.0.0/8"] }, /IP address/],
    [
      "address in place of an IP range",
      { nameConstraints: { permitted: [{ type: "ip", value: "10.0.0.1" }] } },
      /range/,
    ],
    ["prefix too long", { nameConstraints: { permitted: [{ type: "ip", value: "10.0.0.0/33" }] } }, /range/],
    ["empty name constraints", { nameConstraints: {} }, /without any subtree/],
    ["path length without isCa", { pathLength: 1 }, /isCa/],
    ["no purposes", { extendedKeyUsage: [] }, /without purposes/],
    ["purpose that is no identifier", { extendedKeyUsage: ["serverAuth"] }, /object identifier/],
    ["unknown key usage", { keyUsage: ["signing" as "cRLSign"] }, /key usage/],
    ["subject without a type", { subject: "leaf" }, /TYPE=value/],
  ])("refused: %s", (_, options, message) => {
    expect(() => issue(options)).toThrowError(refused(message));
  });
});

describe("every kind of key signs and is signed for", () => {
  test.each<[KeyAlgorithm, string]>([
    ["ecdsa-p256", "1.2.840.10045.4.3.2"],
    ["ecdsa-p384", "1.2.840.10045.4.3.3"],
    ["rsa-2048", "1.2.840.113549.1.1.11"],
    ["ed25519", "1.3.101.112"],
  ])("%s", (algorithm, signatureOid) => {
    const own = createRoot({ subject: "CN=root", notAfter, algorithm });
    const leaf = issueCertificate(own, generateKey(algorithm).publicKey, { subject: "CN=leaf", notAfter });
    expect(leaf.signatureAlgorithm.oid).toBe(signatureOid);
    expect(leaf.warnings).toEqual([]);
    expect(
      verifySignature(leaf.tbs, leaf.signatureAlgorithm, leaf.signature, own.certificate.publicKey),
    ).toBe(true);
    expect(
      verifySignature(leaf.tbs, leaf.signatureAlgorithm, leaf.signature, root.certificate.publicKey),
    ).toBe(false);
    expect(new X509Certificate(leaf.der).verify(own.certificate.publicKey)).toBe(true);
  });

  test("a given key is used", () => {
    const { privateKey } = generateKey("ecdsa-p384");
    const own = createRoot({ subject: "CN=root", notAfter, key: privateKey });
    expect(own.key).toBe(privateKey);
    const { tbs, signature, publicKey: ownPublic } = own.certificate;
    expect(verify("sha384", tbs, ownPublic, signature)).toBe(true);
  });

  test("a key that cannot sign", () => {
    const key = generateKey("rsa-2048").publicKey;
    expect(() =>
      issueCertificate({ certificate: root.certificate, key }, publicKey, { subject: "CN=x", notAfter }),
    ).toThrowError();
  });
});

test("whatever is asked for is in the certificate", () => {
  const authority = createRoot({ subject: "CN=root", notAfter, algorithm: "ed25519" });
  const label = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
  const second = (from: string, to: string) =>
    fc
      .date({ min: new Date(from), max: new Date(to), noInvalidDate: true })
      .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));
  const options = fc.record({
    dnsNames: fc.array(
      fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join(".")),
      { maxLength: 5 },
    ),
    uris: fc.array(fc.webUrl(), { maxLength: 3 }),
    ips: fc.array(fc.ipV4(), { maxLength: 3 }),
    emails: fc.array(fc.emailAddress(), { maxLength: 2 }),
    notBefore: second("1960-01-01T00:00:00Z", "2040-01-01T00:00:00Z"),
    notAfter: second("2040-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    keyUsage: fc.subarray([...KEY_USAGES], { minLength: 1 }),
    extendedKeyUsage: fc.subarray(Object.values(EKU), { minLength: 1 }),
    pathLength: fc.nat(20),
    commonName: fc
      .string({ minLength: 1, maxLength: 20, unit: "grapheme-ascii" })
      .filter((text) => text.trim() === text),
  });
  fc.assert(
    fc.property(options, ({ commonName, ...rest }) => {
      const subject = `CN=${commonName.replace(/[\\"+,;<>#=]/g, "\\$&")}`;
      const certificate = issueCertificate(authority, publicKey, { subject, isCa: true, ...rest });
      const values = (type: string) =>
        certificate.subjectAltNames.flatMap((name) =>
          name.type === type && "value" in name ? [name.value] : [],
        );
      expect(certificate.subject.commonName).toBe(commonName);
      expect(values("dns")).toEqual(rest.dnsNames);
      expect(values("uri")).toEqual(rest.uris);
      expect(values("ip")).toEqual(rest.ips);
      expect(values("email")).toEqual(rest.emails);
      expect(certificate.notBefore).toEqual(rest.notBefore);
      expect(certificate.notAfter).toEqual(rest.notAfter);
      expect([...(certificate.keyUsage ?? [])]).toEqual(rest.keyUsage);
      expect(certificate.extendedKeyUsage).toEqual(rest.extendedKeyUsage);
      expect(certificate.basicConstraints).toEqual({ cA: true, pathLength: rest.pathLength });
      expect(certificate.warnings).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
