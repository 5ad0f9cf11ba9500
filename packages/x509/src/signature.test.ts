import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type AlgorithmIdentifier, describeSignatureAlgorithm } from "./algorithm.ts";
import { explicit, integer, nullValue, oid, sequence } from "./der-writer.ts";
import { generateKey } from "./generate-key.ts";
import { createSignature, signatureOidFor, verifySignature } from "./signature.ts";

const tbs = Buffer.from("to be signed");
const rsa = generateKey("rsa-2048");
const pssKey = generateKeyPairSync("rsa-pss", {
  modulusLength: 2048,
  hashAlgorithm: "sha256",
  mgf1HashAlgorithm: "sha256",
});
const p256 = generateKey();
const PSS = "1.2.840.113549.1.1.10";
const HASH_OID = {
  sha1: "1.3.14.3.2.26",
  sha256: "2.16.840.1.101.3.4.2.1",
  sha512: "2.16.840.1.101.3.4.2.3",
};
type Hash = keyof typeof HASH_OID;

const identifier = (id: string, parameters?: Uint8Array): AlgorithmIdentifier => ({ oid: id, parameters });
const hashId = (hash: Hash, withNull = true) =>
  sequence(oid(HASH_OID[hash]), ...(withNull ? [nullValue()] : []));
const mgf = (hash: Hash, withNull = true) => sequence(oid("1.2.840.113549.1.1.8"), hashId(hash, withNull));
const pss = (...fields: Uint8Array[]) => identifier(PSS, sequence(...fields));
const pssSign = (hash: string, key: KeyObject, saltLength: number) =>
  sign(hash, tbs, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });

describe("schemes", () => {
  test.each([
    ["sha1", "1.2.840.113549.1.1.5", true],
    ["sha224", "1.2.840.113549.1.1.14", false],
    ["sha256", "1.2.840.113549.1.1.11", false],
    ["sha384", "1.2.840.113549.1.1.12", false],
    ["sha512", "1.2.840.113549.1.1.13", false],
    ["md5", "1.2.840.113549.1.1.4", true],
  ])("RSA PKCS#1 v1.5 with %s", (hash, id, weak) => {
    const signature = sign(hash, tbs, rsa.privateKey);
    expect(verifySignature(tbs, identifier(id, nullValue()), signature, rsa.publicKey)).toBe(true);
    expect(verifySignature(Buffer.from("other"), identifier(id), signature, rsa.publicKey)).toBe(false);
    expect(describeSignatureAlgorithm(id, nullValue())).toMatchObject({ hash, scheme: "rsa-pkcs1", weak });
  });

  test.each([
    ["prime256v1", "sha256", "1.2.840.10045.4.3.2"],
    ["secp384r1", "sha384", "1.2.840.10045.4.3.3"],
    ["secp521r1", "sha512", "1.2.840.10045.4.3.4"],
    ["brainpoolP256r1", "sha224", "1.2.840.10045.4.3.1"],
    ["prime256v1", "sha1", "1.2.840.10045.4.1"],
  ])("ECDSA on %s with %s", (namedCurve, hash, id) => {
    for (const paramEncoding of ["named", "explicit"] as const) {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve, paramEncoding });
      expect(verifySignature(tbs, identifier(id), sign(hash, tbs, privateKey), publicKey)).toBe(true);
      expect(verifySignature(tbs, identifier(id), sign(hash, tbs, privateKey), p256.publicKey)).toBe(false);
    }
  });

  test("Ed25519 and Ed448", () => {
    for (const [type, id] of [
      ["ed25519", "1.3.101.112"],
      ["ed448", "1.3.101.113"],
    ] as const) {
      const { privateKey, publicKey } =
        type === "ed448" ? generateKeyPairSync("ed448") : generateKeyPairSync("ed25519");
      expect(verifySignature(tbs, identifier(id), createSignature(tbs, privateKey), publicKey)).toBe(true);
      expect(signatureOidFor(privateKey)).toBe(id);
      expect(describeSignatureAlgorithm(id, undefined)).toMatchObject({
        scheme: type,
        hash: undefined,
        weak: false,
      });
    }
  });
});

describe("RSASSA-PSS", () => {
  test("parameters in full, without NULL, and by default", () => {
    const sha256 = [explicit(0, hashId("sha256")), explicit(1, mgf("sha256")), explicit(2, integer(32))];
    const bare = [
      explicit(0, hashId("sha256", false)),
      explicit(1, mgf("sha256", false)),
      explicit(2, integer(32)),
    ];
    for (const fields of [sha256, bare, [...sha256, explicit(3, integer(1))]]) {
      for (const { privateKey, publicKey } of [rsa, pssKey]) {
        expect(verifySignature(tbs, pss(...fields), pssSign("sha256", privateKey, 32), publicKey)).toBe(true);
      }
    }
    expect(verifySignature(tbs, pss(), pssSign("sha1", rsa.privateKey, 20), rsa.publicKey)).toBe(true);
    expect(describeSignatureAlgorithm(PSS, sequence())).toEqual({
      name: "rsassaPss-SHA1",
      scheme: "rsa-pss",
      hash: "sha1",
      saltLength: 20,
      weak: true,
    });
  });

  test("the salt must have the length the parameters say", () => {
    const fields = [explicit(0, hashId("sha512")), explicit(1, mgf("sha512"))];
    const signature = pssSign("sha512", rsa.privateKey, 64);
    expect(verifySignature(tbs, pss(...fields, explicit(2, integer(64))), signature, rsa.publicKey)).toBe(
      true,
    );
    expect(verifySignature(tbs, pss(...fields), signature, rsa.publicKey)).toBe(false);
  });

  test.each([
    ["no parameters", undefined],
    ["another hash in the mask", sequence(explicit(0, hashId("sha256")), explicit(1, mgf("sha512")))],
    ["hash without its mask", sequence(explicit(0, hashId("sha256")))],
    ["other mask function", sequence(explicit(1, sequence(oid("1.2.3"))))],
    ["other trailer", sequence(explicit(3, integer(2)))],
    ["unknown hash", sequence(explicit(0, sequence(oid("1.2.3"))))],
  ])("not supported: %s", (_, parameters) => {
    expect(describeSignatureAlgorithm(PSS, parameters)).toBeUndefined();
    expect(
      verifySignature(tbs, identifier(PSS, parameters), pssSign("sha1", rsa.privateKey, 20), rsa.publicKey),
    ).toBe(false);
  });

  test("damaged parameters throw where they are described, and verify nothing", () => {
    const damaged = Uint8Array.of(0x30, 5, 1);
    expect(() => describeSignatureAlgorithm(PSS, damaged)).toThrowError(
      expect.objectContaining({ code: "ERR_X509_DER" }),
    );
    expect(verifySignature(tbs, identifier(PSS, damaged), new Uint8Array(256), rsa.publicKey)).toBe(false);
  });
});

describe("what does not fit is false", () => {
  const rsaId = identifier("1.2.840.113549.1.1.11", nullValue());
  const ecId = identifier("1.2.840.10045.4.3.2");
  const ecSignature = sign("sha256", tbs, p256.privateKey);
  test.each<[string, AlgorithmIdentifier, Uint8Array, KeyObject]>([
    ["RSA algorithm, EC key", rsaId, ecSignature, p256.publicKey],
    ["EC algorithm, RSA key", ecId, sign("sha256", tbs, rsa.privateKey), rsa.publicKey],
    ["PKCS#1 algorithm, PSS signature", rsaId, pssSign("sha256", rsa.privateKey, 32), rsa.publicKey],
    ["PKCS#1 algorithm, PSS key", rsaId, sign("sha256", tbs, rsa.privateKey), pssKey.publicKey],
    ["unknown algorithm", identifier("1.2.3"), ecSignature, p256.publicKey],
    ["Ed25519 algorithm, EC key", identifier("1.3.101.112"), ecSignature, p256.publicKey],
    ["empty signature", ecId, new Uint8Array(), p256.publicKey],
    ["empty RSA signature", rsaId, new Uint8Array(), rsa.publicKey],
    ["octets after the signature", ecId, Buffer.concat([ecSignature, Buffer.alloc(1)]), p256.publicKey],
    [
      "signature in BER",
      ecId,
      Buffer.concat([Buffer.of(0x30, 0x81), ecSignature.subarray(1)]),
      p256.publicKey,
    ],
    ["zero signature", ecId, Buffer.from("3006020100020100", "hex"), p256.publicKey],
  ])("%s", (_, algorithm, signature, key) => {
    expect(verifySignature(tbs, algorithm, signature, key)).toBe(false);
  });

  test("keys that this package does not sign with", () => {
    expect(() => signatureOidFor(pssKey.privateKey)).toThrowError(
      expect.objectContaining({ code: "ERR_X509_KEY" }),
    );
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
    expect(() => createSignature(tbs, privateKey)).toThrowError(/secp256k1/);
    expect(createPublicKey(p256.privateKey).equals(p256.publicKey)).toBe(true);
  });
});
