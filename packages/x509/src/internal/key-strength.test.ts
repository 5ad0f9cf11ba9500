import { createPublicKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type KeyKind, privateKey } from "../../test/key-pool.ts";
import { bitString, integer, nullValue, oid, sequence } from "../der-writer.ts";
import { keyWeakness } from "./key-strength.ts";

function rsa(modulus: bigint, exponent: bigint): Uint8Array {
  const numbers = sequence(integer(modulus), integer(exponent));
  return sequence(sequence(oid("1.2.840.113549.1.1.1"), nullValue()), bitString(numbers));
}

/** The smallest odd modulus of so many bits. */
const bits = (count: number) => (1n << BigInt(count - 1)) + 1n;

describe("RSA keys", () => {
  test.each([2048, 2049, 3072, 4096, 8192])("of %d bits are good", (count) => {
    expect(keyWeakness(rsa(bits(count), 65537n))).toBeUndefined();
  });

  test.each([512, 1024, 2047])("of %d bits are weak", (count) => {
    const message = `RSA key of ${count} bits, at least 2048 are needed`;
    expect(keyWeakness(rsa(bits(count), 65537n))).toEqual({ message, costly: false });
  });

  test.each([8193, 16384])("of %d bits are too costly to use", (count) => {
    expect(keyWeakness(rsa(bits(count), 65537n))).toMatchObject({ costly: true });
  });

  test.each([3n, 17n, 65537n, (1n << 32n) + 1n])("with exponent %d are good", (exponent) => {
    expect(keyWeakness(rsa(bits(2048), exponent))).toBeUndefined();
  });

  test.each([0n, 1n, 2n, 65536n])("with exponent %d are weak", (exponent) => {
    expect(keyWeakness(rsa(bits(2048), exponent))).toMatchObject({ costly: false });
  });

  test("with a large exponent are too costly to use", () => {
    expect(keyWeakness(rsa(bits(2048), bits(2047)))).toMatchObject({ costly: true });
  });
});

test.each<KeyKind>(["p256", "p384", "p521", "brainpool256", "ed25519", "ed448", "rsa2048", "rsa-pss"])(
  "%s keys are good",
  (kind) => {
    expect(keyWeakness(spkiOf(kind))).toBeUndefined();
  },
);

test.each<[KeyKind, string]>([
  ["p224", "elliptic curve 1.3.132.0.33 is not used by TLS 1.3"],
  ["secp256k1", "elliptic curve 1.3.132.0.10 is not used by TLS 1.3"],
  ["p256-explicit", "elliptic curve is given by explicit parameters"],
  ["dsa", "public key algorithm 1.2.840.10040.4.1 is not used by TLS 1.3"],
])("%s keys are not", (kind, message) => {
  expect(keyWeakness(spkiOf(kind))).toEqual({ message, costly: false });
});

test("a damaged key is weak, whatever is wrong with it", () => {
  const spki = spkiOf("rsa2048");
  for (let length = 0; length < spki.length; length++) {
    expect(keyWeakness(spki.subarray(0, length))?.message).toMatch(/^public key is damaged/);
  }
});

function spkiOf(kind: KeyKind): Uint8Array {
  return createPublicKey(privateKey(kind, kind)).export({ format: "der", type: "spki" });
}
