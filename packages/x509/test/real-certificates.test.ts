import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { describeSignatureAlgorithm } from "../src/algorithm.ts";
import { type Certificate, parseCertificates } from "../src/certificate.ts";
import { namesEqual } from "../src/name.ts";
import { verifySignature } from "../src/signature.ts";

// 720 certificates of passport authorities of some 140 countries: public data that is not part of the project.
const BUNDLE = new URL("../../../../shared/data/csca-bundle-720.pem", import.meta.url);
const present = existsSync(BUNDLE);
if (!present)
  console.log(
    "real-certificates: skipped, there is no ../shared/data/csca-bundle-720.pem beside the project",
  );

describe.skipIf(!present)("720 real certificates", () => {
  let certificates: readonly Certificate[] = [];
  beforeAll(() => {
    certificates = parseCertificates(readFileSync(BUNDLE));
  });

  test("all are read", () => {
    expect(certificates).toHaveLength(720);
    expect(new Set(certificates.map(({ sha256 }) => sha256)).size).toBe(720);
  });

  test("their quirks are warnings, so many of each", () => {
    const counts: Record<string, number> = {};
    for (const { warnings } of certificates) {
      for (const code of new Set(warnings.map((warning) => warning.code)))
        counts[code] = (counts[code] ?? 0) + 1;
    }
    expect(counts).toEqual({
      algorithm_parameters: 30,
      boolean_encoding: 2,
      country_code: 26,
      ec_explicit_parameters: 152,
      empty_extension: 1,
      key_usage_encoding: 11,
      legacy_string: 4,
      serial_not_positive: 5,
      subject_key_identifier_raw: 3,
      time_encoding: 1,
      weak_signature: 119,
    });
  });

  test("fields agree with node's X509Certificate", () => {
    for (const certificate of certificates) {
      const other = new X509Certificate(certificate.der);
      expect(certificate.sha256).toBe(other.fingerprint256.replaceAll(":", "").toLowerCase());
      expect(certificate.notBefore).toEqual(new Date(other.validFrom));
      expect(certificate.notAfter).toEqual(new Date(other.validTo));
      // OpenSSL's flag also asks for keyCertSign and for extensions without damage.
      const raw = certificate.warnings.some(({ code }) => code === "subject_key_identifier_raw");
      const signs = certificate.keyUsage?.has("keyCertSign") ?? true;
      expect((certificate.basicConstraints?.cA ?? false) && signs && !raw).toBe(other.ca);
      expect(BigInt(`0x${certificate.serialNumber}`)).toBe(unsignedSerial(other.serialNumber, certificate));
      expect(certificate.publicKey.equals(other.publicKey)).toBe(true);
    }
  });

  test("signatures verify as X509Certificate says", () => {
    let verified = 0;
    for (const certificate of certificates.filter(({ issuer, subject }) => namesEqual(issuer, subject))) {
      const { tbs, signatureAlgorithm, signature, publicKey, der } = certificate;
      const own = verifySignature(tbs, signatureAlgorithm, signature, publicKey);
      expect(own).toBe(new X509Certificate(der).verify(publicKey));
      if (own) verified++;
    }
    expect(verified).toBeGreaterThan(400);
  });

  test("every signature algorithm is known, RSASSA-PSS in all its spellings", () => {
    const names = new Set(
      certificates.map(
        ({ signatureAlgorithm: { oid, parameters } }) => describeSignatureAlgorithm(oid, parameters)?.name,
      ),
    );
    expect(names).not.toContain(undefined);
    expect(names.size).toBe(11);
  });

  function unsignedSerial(hex: string, { serialNumber }: Certificate): bigint {
    // node prints a negative serial number with its sign, this package the octets on the wire.
    return hex.startsWith("-")
      ? (1n << BigInt(serialNumber.length * 4)) - BigInt(`0x${hex.slice(1)}`)
      : BigInt(`0x${hex}`);
  }
});
