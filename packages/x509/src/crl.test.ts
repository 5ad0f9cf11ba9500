import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { at, type DerNode, edit } from "../test/der-tree.ts";
import { encodeCrls, parseCrl, parseCrls } from "./crl.ts";
import { type IssueCrlOptions, issueCrl } from "./crl-issue.ts";
import { createRoot } from "./issue.ts";
import { encodePem } from "./pem.ts";
import { verifySignature } from "./signature.ts";

const root = createRoot({ subject: "CN=root", notAfter: new Date("2099-01-01T00:00:00Z") });
const date = new Date("2026-03-01T00:00:00Z");
const issue = (options: Partial<IssueCrlOptions> = {}) =>
  issueCrl(root, {
    revoked: [
      { serialNumber: "8f01", date, reason: "keyCompromise" },
      { serialNumber: "01", date },
      { serialNumber: "02", date, reason: "unspecified" },
    ],
    thisUpdate: new Date("2026-03-01T00:00:00Z"),
    nextUpdate: new Date("2026-03-02T00:00:00Z"),
    number: 300,
    ...options,
  });
const list = issue();
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replace(/ /g, ""), "hex"));

// Children of the TBSCertList that this package writes.
const ENTRIES = 5;
const EXTENSIONS = 6;

describe("what is issued is read", () => {
  test("facts", () => {
    expect(list).toMatchObject({ version: 2, crlNumber: "012c", revokedCount: 3, warnings: [] });
    expect(list.issuer.commonName).toBe("root");
    expect(list.thisUpdate.toISOString()).toBe("2026-03-01T00:00:00.000Z");
    expect(list.nextUpdate?.toISOString()).toBe("2026-03-02T00:00:00.000Z");
    expect(list.authorityKeyIdentifier?.keyIdentifier).toBe(root.certificate.subjectKeyIdentifier);
    expect(list.unknownCriticalEntryExtensions).toEqual([]);
    expect(
      verifySignature(list.tbs, list.signatureAlgorithm, list.signature, root.certificate.publicKey),
    ).toBe(true);
  });

  test("entries, whichever way the serial number is padded", () => {
    expect(list.isRevoked("008f01")).toEqual({ date, reason: "keyCompromise" });
    expect(list.isRevoked("8F01")).toEqual({ date, reason: "keyCompromise" });
    expect(list.isRevoked("01")).toEqual({ date, reason: undefined });
    expect(list.isRevoked("1")).toEqual({ date, reason: undefined });
    expect(list.isRevoked("0002")).toEqual({ date, reason: undefined });
    expect(list.isRevoked("03")).toBeUndefined();
    expect(list.isRevoked("00")).toBeUndefined();
    expect(() => list.isRevoked("")).toThrowError(expect.objectContaining({ code: "ERR_X509_CRL" }));
    expect(() => list.isRevoked("8f:01")).toThrowError(/not hex/);
  });

  test("nothing revoked", () => {
    const empty = issue({ revoked: [] });
    expect(empty.revokedCount).toBe(0);
    expect(empty.isRevoked("01")).toBeUndefined();
    expect(empty.warnings).toEqual([]);
  });

  test("PEM and DER", () => {
    const text = `${encodePem("CERTIFICATE", root.certificate.der)}${encodeCrls([list, issue({ number: 2 })])}`;
    expect(parseCrls(text).map(({ crlNumber }) => crlNumber)).toEqual(["012c", "02"]);
    expect(parseCrls(Buffer.from(text))).toHaveLength(2);
    expect(parseCrls(list.der)[0]?.sha256).toBe(list.sha256);
    expect(parseCrls("")).toEqual([]);
    expect(() => parseCrls(text.slice(0, -20))).toThrowError(
      expect.objectContaining({ code: "ERR_X509_PEM" }),
    );
  });

  test("any set of serial numbers is found, and no other", () => {
    const serial = fc.bigInt({ min: 0n, max: (1n << 159n) - 1n }).map((value) => value.toString(16));
    fc.assert(
      fc.property(fc.uniqueArray(serial, { maxLength: 60 }), fc.array(serial), (revoked, others) => {
        const own = issue({ revoked: revoked.map((serialNumber) => ({ serialNumber, date })) });
        expect(own.revokedCount).toBe(revoked.length);
        for (const one of revoked) expect(own.isRevoked(one)).toEqual({ date, reason: undefined });
        for (const one of others) expect(own.isRevoked(one) !== undefined).toBe(revoked.includes(one));
      }),
      { numRuns: 60 },
    );
  });

  test.each<[string, Partial<IssueCrlOptions>]>([
    ["nextUpdate before thisUpdate", { nextUpdate: new Date(0) }],
    ["serial number that is not hex", { revoked: [{ serialNumber: "x", date }] }],
    ["unknown reason", { revoked: [{ serialNumber: "01", date, reason: "lost" as "superseded" }] }],
    ["negative number", { number: -1 }],
  ])("not issued: %s", (_, options) => {
    expect(() => issue(options)).toThrowError(expect.objectContaining({ code: "ERR_X509_ISSUE" }));
  });
});

describe("damage", () => {
  test.each<[string, (tbs: DerNode) => void, RegExp]>([
    ["version 3", (tbs) => (at(tbs, 0).content = bytes("02")), /version 2/],
    ["version 1 written", (tbs) => (at(tbs, 0).content = bytes("00")), /version 2/],
    ["other algorithm inside", (tbs) => (at(tbs, 1, 0).content = bytes("2a8648ce3d040303")), /differ/],
    ["no thisUpdate", (tbs) => (tbs.content as DerNode[]).splice(3, 2), /thisUpdate is not a time/],
    ["entry without date", (tbs) => (at(tbs, ENTRIES, 1).content as DerNode[]).pop(), /cut short/],
    [
      "entry with a fourth field",
      (tbs) => (at(tbs, ENTRIES, 0).content as DerNode[]).push(at(tbs, 0)),
      /after revocation entry/,
    ],
    [
      "serial number with a needless zero",
      (tbs) => (at(tbs, ENTRIES, 1, 0).content = bytes("0001")),
      /shortest/,
    ],
    [
      "serial number of 128 octets",
      (tbs) => (at(tbs, ENTRIES, 1, 0).content = new Uint8Array(128).fill(1)),
      /128 octets/,
    ],
    ["reason 7", (tbs) => (at(tbs, ENTRIES, 0, 2, 0, 1).content = bytes("0a0107")), /7 is not in use/],
    ["reason 11", (tbs) => (at(tbs, ENTRIES, 0, 2, 0, 1).content = bytes("0a010b")), /between 0 and 10/],
    [
      "extension twice",
      (tbs) => (at(tbs, EXTENSIONS, 0).content as DerNode[]).push(at(tbs, EXTENSIONS, 0, 0)),
      /twice/,
    ],
    ["number that is none", (tbs) => (at(tbs, EXTENSIONS, 0, 1, 1).content = bytes("0500")), /CRL number/],
    [
      "octets after the number",
      (tbs) => (at(tbs, EXTENSIONS, 0, 1, 1).content = bytes("02010100")),
      /after CRL number/,
    ],
  ])("%s", (_, change, message) => {
    expect(() => parseCrl(edit(list.der, (whole) => change(at(whole, 0))))).toThrowError(
      expect.objectContaining({ name: "X509Error", message: expect.stringMatching(message) }),
    );
  });

  test("octets after the list, limits", () => {
    expect(() => parseCrl(Buffer.concat([list.der, bytes("00")]))).toThrowError(/cut short/);
    expect(() => parseCrl(list.der, { maxBytes: 50 })).toThrowError(
      expect.objectContaining({ code: "ERR_X509_LIMIT" }),
    );
    expect(() => parseCrl(list.der, { maxElements: 20 })).toThrowError(/more than 20 elements/);
  });
});

test("critical entry extensions that are not processed are named", () => {
  const certificateIssuer: DerNode = {
    tag: 0x30,
    content: [
      { tag: 6, content: bytes("551d1d") },
      { tag: 1, content: bytes("ff") },
      { tag: 4, content: bytes("3000") },
    ],
  };
  const indirect = parseCrl(
    edit(list.der, (whole) => (at(whole, 0, ENTRIES, 0, 2).content as DerNode[]).push(certificateIssuer)),
  );
  expect(indirect.unknownCriticalEntryExtensions).toEqual(["2.5.29.29"]);
});

test("of two entries for one serial number the first counts", () => {
  const twice = issue({
    revoked: [
      { serialNumber: "05", date, reason: "superseded" },
      { serialNumber: "05", date, reason: "removeFromCRL" },
    ],
  });
  expect(twice.isRevoked("05")?.reason).toBe("superseded");
});

test("a list of 200,000 entries is read and searched in well under a second each", () => {
  const revoked = Array.from({ length: 200_000 }, (_, i) => ({
    serialNumber: (0x40000000 + i * 7919).toString(16),
    date,
  }));
  const { der } = issue({ revoked });
  const started = performance.now();
  const large = parseCrl(der);
  for (const { serialNumber } of revoked) if (!large.isRevoked(serialNumber)) expect.unreachable();
  expect(large.isRevoked("40000001")).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(5000);
});
