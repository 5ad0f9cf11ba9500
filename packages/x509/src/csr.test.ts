import { describe, expect, test } from "vitest";
import { at, type DerNode, edit } from "../test/der-tree.ts";
import { createCsr, encodeCsr, parseCsr, verifyCsr } from "./csr.ts";
import { generateKey } from "./generate-key.ts";
import { EKU } from "./key-usage.ts";
import { formatName } from "./name.ts";
import { encodePem } from "./pem.ts";

const { privateKey, publicKey } = generateKey();
const der = createCsr(privateKey, {
  subject: "CN=backend,O=Shop",
  dnsNames: ["backend.shop"],
  ips: ["::1"],
  keyUsage: ["digitalSignature"],
  extendedKeyUsage: [EKU.clientAuth],
});
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replace(/ /g, ""), "hex"));

describe("what is created is read", () => {
  test("facts", () => {
    const request = parseCsr(der);
    expect(formatName(request.subject)).toBe("CN=backend,O=Shop");
    expect(request.subjectAltNames).toEqual([
      { type: "dns", value: "backend.shop" },
      { type: "ip", value: "::1" },
    ]);
    expect([...(request.keyUsage ?? [])]).toEqual(["digitalSignature"]);
    expect(request.extendedKeyUsage).toEqual([EKU.clientAuth]);
    expect(request.publicKey.equals(publicKey)).toBe(true);
    expect(verifyCsr(request)).toBe(true);
    expect(request.warnings).toEqual([]);
  });

  test.each(["ecdsa-p384", "rsa-2048", "ed25519"] as const)("%s", (algorithm) => {
    const request = parseCsr(createCsr(generateKey(algorithm).privateKey, { subject: "CN=x" }));
    expect(verifyCsr(request)).toBe(true);
    expect(request.extensions).toEqual([]);
    expect(request.subjectAltNames).toEqual([]);
  });

  test("PEM with either label, DER", () => {
    expect(parseCsr(encodeCsr(der)).subject.commonName).toBe("backend");
    expect(parseCsr(Buffer.from(encodePem("NEW CERTIFICATE REQUEST", der))).subject.commonName).toBe(
      "backend",
    );
    expect(() => parseCsr("")).toThrowError(expect.objectContaining({ code: "ERR_X509_CSR" }));
    expect(() => parseCsr(encodeCsr(der).repeat(2))).toThrowError(/more than one/);
  });
});

test("the signature is by the key of the request", () => {
  const other = parseCsr(createCsr(generateKey().privateKey, { subject: "CN=x" }));
  const stolen = edit(der, (whole) => {
    (at(whole, 0).content as DerNode[])[2] = spkiNode(other.subjectPublicKeyInfo);
  });
  expect(verifyCsr(parseCsr(stolen))).toBe(false);
  expect(() => createCsr(publicKey, { subject: "CN=x" })).toThrowError(
    expect.objectContaining({ code: "ERR_X509_KEY" }),
  );

  function spkiNode(spki: Uint8Array): DerNode {
    const nodes: DerNode[] = [];
    edit(spki, (root) => nodes.push(root));
    return nodes[0] as DerNode;
  }
});

test.each<[string, (info: DerNode) => void, RegExp]>([
  ["version 2", (info) => (at(info, 0).content = bytes("01")), /version/],
  [
    "field after the attributes",
    (info) => (info.content as DerNode[]).push(at(info, 0)),
    /after certificate request fields/,
  ],
  [
    "extensions requested twice",
    (info) => (at(info, 3).content as DerNode[]).push(at(info, 3, 0)),
    /requested twice/,
  ],
  [
    "two values",
    (info) => (at(info, 3, 0, 1).content as DerNode[]).push(at(info, 3, 0, 1, 0)),
    /after requested extensions/,
  ],
  ["no value", (info) => (at(info, 3, 0, 1).content = []), /requested extensions is missing/],
  ["damaged extension", (info) => (at(info, 3, 0, 1, 0, 0, 2).content = bytes("05")), /cut short/],
])("damaged: %s", (_, change, message) => {
  expect(() => parseCsr(edit(der, (whole) => change(at(whole, 0))))).toThrowError(
    expect.objectContaining({ name: "X509Error", message: expect.stringMatching(message) }),
  );
});

test("no attributes, and attributes of other kinds", () => {
  const bare = edit(der, (whole) => (at(whole, 0).content as DerNode[]).pop());
  expect(parseCsr(bare).extensions).toEqual([]);
  const challenge = edit(der, (whole) => {
    at(whole, 0, 3, 0, 0).content = bytes("2a864886f70d010907");
  });
  expect(parseCsr(challenge).extensions).toEqual([]);
});
