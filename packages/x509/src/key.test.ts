import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { describe, expect, test } from "vitest";
import { generateKey } from "./generate-key.ts";
import { createRoot, issueCertificate } from "./issue.ts";
import { keyMatchesCertificate, parsePkcs8, parsePrivateKey } from "./key.ts";
import { encodePem } from "./pem.ts";

const ec = generateKey().privateKey;
const rsa = generateKey("rsa-2048").privateKey;
const pem = (key: KeyObject, type: "pkcs8" | "sec1" | "pkcs1") =>
  key.export({ format: "pem", type }).toString();
const notAfter = new Date("2099-01-01T00:00:00Z");

describe("private keys", () => {
  test.each([
    ["PKCS#8 EC", ec, pem(ec, "pkcs8")],
    ["SEC1", ec, pem(ec, "sec1")],
    [
      "SEC1 after EC PARAMETERS",
      ec,
      `${encodePem("EC PARAMETERS", Buffer.from("06082a8648ce3d030107", "hex"))}${pem(ec, "sec1")}`,
    ],
    ["PKCS#8 RSA", rsa, pem(rsa, "pkcs8")],
    ["PKCS#1", rsa, pem(rsa, "pkcs1")],
    ["among other blocks", rsa, `${encodePem("CERTIFICATE", Buffer.alloc(9))}${pem(rsa, "pkcs8")}`],
  ])("%s", (_, key, text) => {
    expect(parsePrivateKey(text).equals(key)).toBe(true);
    expect(parsePrivateKey(Buffer.from(text)).equals(key)).toBe(true);
  });

  test("PKCS#8 as DER", () => {
    for (const key of [ec, rsa]) {
      expect(parsePkcs8(key.export({ format: "der", type: "pkcs8" })).equals(key)).toBe(true);
    }
    const sec1 = ec.export({ format: "der", type: "sec1" });
    expect(() => parsePkcs8(sec1)).toThrow(expect.objectContaining({ code: "ERR_X509_KEY" }));
    const long = Buffer.alloc(65 * 1024);
    expect(() => parsePkcs8(long)).toThrow(expect.objectContaining({ code: "ERR_X509_LIMIT" }));
  });

  test("Ed25519", () => {
    const { privateKey } = generateKey("ed25519");
    expect(parsePrivateKey(pem(privateKey, "pkcs8")).equals(privateKey)).toBe(true);
  });

  const locked = { format: "pem", cipher: "aes-256-cbc", passphrase: "x" } as const;
  const pkcs8 = ec.export({ format: "der", type: "pkcs8" });
  test.each([
    ["none", "text", "ERR_X509_KEY", /no private key/],
    ["two", pem(ec, "pkcs8") + pem(rsa, "pkcs8"), "ERR_X509_KEY", /more than one/],
    ["encrypted PKCS#8", ec.export({ ...locked, type: "pkcs8" }).toString(), "ERR_X509_KEY", /encrypted/],
    ["encrypted PKCS#1", rsa.export({ ...locked, type: "pkcs1" }).toString(), "ERR_X509_KEY", /encrypted/],
    ["other kind", encodePem("OPENSSH PRIVATE KEY", Buffer.alloc(9)), "ERR_X509_KEY", /OPENSSH/],
    ["half of the text", pem(rsa, "pkcs8").slice(0, 900), "ERR_X509_PEM", /END/],
    ["damaged", encodePem("PRIVATE KEY", Buffer.alloc(99, 1)), "ERR_X509_KEY", /damaged/],
    ["cut short", encodePem("PRIVATE KEY", pkcs8.subarray(0, 100)), "ERR_X509_KEY", /damaged/],
    [
      "octets after the key",
      encodePem("PRIVATE KEY", Buffer.concat([pkcs8, Buffer.alloc(4)])),
      "ERR_X509_KEY",
      /damaged/,
    ],
    ["wrong label", encodePem("RSA PRIVATE KEY", pkcs8), "ERR_X509_KEY", /damaged/],
    ["too long", " ".repeat(70_000) + pem(ec, "pkcs8"), "ERR_X509_LIMIT", /more than/],
  ])("refused: %s", (_, text, code, message) => {
    const refusal = expect.objectContaining({ code, message: expect.stringMatching(message) });
    expect(() => parsePrivateKey(text)).toThrowError(refusal);
    expect(() => parsePrivateKey(text)).not.toThrowError(
      expect.objectContaining({ cause: expect.anything() }),
    );
  });
});

describe("matching", () => {
  const certificate = issueCertificate(createRoot({ subject: "CN=root", notAfter }), createPublicKey(ec), {
    subject: "CN=x",
    notAfter,
  });

  test("by private or public key", () => {
    expect(keyMatchesCertificate(ec, certificate)).toBe(true);
    expect(keyMatchesCertificate(createPublicKey(ec), certificate)).toBe(true);
    expect(keyMatchesCertificate(rsa, certificate)).toBe(false);
    expect(keyMatchesCertificate(generateKey().privateKey, certificate)).toBe(false);
    expect(keyMatchesCertificate(createSecretKey(Buffer.alloc(32)), certificate)).toBe(false);
  });

  test("a key of another kind is no match, and leaves nothing behind in OpenSSL", () => {
    for (const other of [rsa, generateKey("ed25519").privateKey]) {
      expect(keyMatchesCertificate(other, certificate)).toBe(false);
      expect(parsePrivateKey(pem(ec, "pkcs8")).equals(ec)).toBe(true);
    }
  });

  test("a curve that is spelled out is the same key", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", {
      namedCurve: "prime256v1",
      paramEncoding: "explicit",
    });
    const explicit = issueCertificate(createRoot({ subject: "CN=root", notAfter }), publicKey, {
      subject: "CN=x",
      notAfter,
    });
    expect(explicit.warnings.map(({ code }) => code)).toEqual(["ec_explicit_parameters"]);
    expect(keyMatchesCertificate(privateKey, explicit)).toBe(true);
    const named = createPrivateKey({ key: privateKey.export({ format: "jwk" }), format: "jwk" });
    expect(keyMatchesCertificate(named, explicit)).toBe(true);
  });
});
