import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeCertificates, parseCertificate, parseCertificates } from "../src/certificate.ts";
import { encodeCrls, parseCrls } from "../src/crl.ts";
import { issueCrl } from "../src/crl-issue.ts";
import { createCsr, encodeCsr, parseCsr, verifyCsr } from "../src/csr.ts";
import { generateKey, type KeyAlgorithm } from "../src/generate-key.ts";
import { createRoot, issueCertificate, issueIntermediate } from "../src/issue.ts";
import { keyMatchesCertificate, parsePrivateKey } from "../src/key.ts";
import { EKU } from "../src/key-usage.ts";
import { formatName } from "../src/name.ts";
import { verifySignature } from "../src/signature.ts";

const version = spawnSync("openssl", ["version"], { encoding: "utf8" });
const present = version.status === 0;
if (!present) console.log("openssl: skipped, there is no openssl to run");

const hour = 3_600_000;
const notAfter = new Date(Date.now() + 24 * hour);

describe.skipIf(!present)("against the openssl binary", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "x509-openssl-"));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  function openssl(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync("openssl", args, { cwd: directory, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout + stderr;
  }
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  const read = (name: string) => readFileSync(join(directory, name));

  describe("what this package issues", () => {
    const algorithms: KeyAlgorithm[] = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519"];
    test.each(algorithms)("a chain of %s keys verifies", (algorithm) => {
      const root = createRoot({ subject: "CN=root,O=Shop", notAfter, algorithm });
      const middle = issueIntermediate(root, {
        subject: "CN=middle",
        notAfter,
        algorithm,
        pathLength: 0,
        nameConstraints: {
          permitted: [
            { type: "dns", value: "shop" },
            { type: "ip", value: "10.0.0.0/8" },
          ],
        },
      });
      const leaf = issueCertificate(middle, generateKey(algorithm).publicKey, {
        subject: "CN=a.shop",
        dnsNames: ["a.shop"],
        ips: ["10.1.2.3"],
        notAfter,
      });
      write("root", encodeCertificates([root.certificate]));
      write("middle", encodeCertificates([middle.certificate]));
      write("leaf", encodeCertificates([leaf]));
      for (const purpose of ["sslserver", "sslclient"]) {
        const answer = openssl(
          "verify",
          "-x509_strict",
          "-purpose",
          purpose,
          "-CAfile",
          "root",
          "-untrusted",
          "middle",
          "leaf",
        );
        expect(answer.trim()).toBe("leaf: OK");
      }
    });

    test("openssl prints what was asked for", () => {
      const root = createRoot({ subject: "CN=root", notAfter });
      const leaf = issueCertificate(root, generateKey().publicKey, {
        subject: "CN=backend\\, first,OU=web,O=Grüße,C=DE",
        dnsNames: ["a.shop"],
        uris: ["spiffe://shop/a"],
        ips: ["10.0.0.1", "2001:db8::1"],
        emails: ["ops@shop.example"],
        serialNumber: "f00d",
        notAfter: new Date("2051-02-03T04:05:06Z"),
        keyUsage: ["digitalSignature", "keyAgreement"],
        extendedKeyUsage: [EKU.serverAuth],
        crlDistributionPoints: ["http://crl.shop/1"],
      });
      write("text", encodeCertificates([leaf]));
      const text = openssl("x509", "-in", "text", "-noout", "-text", "-nameopt", "RFC2253,-esc_msb,utf8");
      for (const line of [
        "Version: 3 (0x2)",
        "Serial Number: 61453 (0xf00d)",
        "Issuer: CN=root",
        "Subject: CN=backend\\, first,OU=web,O=Grüße,C=DE",
        "Not After : Feb  3 04:05:06 2051 GMT",
        "CA:FALSE",
        "Digital Signature, Key Agreement",
        "TLS Web Server Authentication",
        "DNS:a.shop, URI:spiffe://shop/a, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, email:ops@shop.example",
        "URI:http://crl.shop/1",
      ]) {
        expect(text).toContain(line);
      }
      expect(formatName(leaf.subject)).toBe("CN=backend\\, first,OU=web,O=Grüße,C=DE");
      const keyId = (hex: string | undefined) => hex?.toUpperCase().replace(/..(?!$)/g, "$&:");
      expect(text).toContain(keyId(leaf.subjectKeyIdentifier));
      expect(text).toContain(keyId(root.certificate.subjectKeyIdentifier));
    });

    test("revocation lists are checked and obeyed", () => {
      const root = createRoot({ subject: "CN=root", notAfter });
      const leaves = ["good", "bad"].map((name) =>
        issueCertificate(root, generateKey().publicKey, { subject: `CN=${name}`, notAfter }),
      );
      const [good, bad] = leaves;
      const list = issueCrl(root, {
        revoked: [{ serialNumber: bad?.serialNumber ?? "", date: new Date(), reason: "keyCompromise" }],
        thisUpdate: new Date(Date.now() - hour),
        nextUpdate: notAfter,
        number: 7,
      });
      write("root", encodeCertificates([root.certificate]));
      write("good", encodeCertificates(good ? [good] : []));
      write("bad", encodeCertificates(bad ? [bad] : []));
      write("crl", encodeCrls([list]));
      const check = ["verify", "-x509_strict", "-crl_check", "-CRLfile", "crl", "-CAfile", "root"];
      expect(openssl(...check, "good").trim()).toBe("good: OK");
      expect(() => openssl(...check, "bad")).toThrowError(/certificate revoked/);
      expect(openssl("crl", "-in", "crl", "-noout", "-text")).toContain("Key Compromise");
      expect(openssl("crl", "-in", "crl", "-noout", "-CAfile", "root")).toContain("verify OK");
    });

    test("requests verify", () => {
      const request = createCsr(generateKey().privateKey, { subject: "CN=x", dnsNames: ["a.shop"] });
      write("csr", encodeCsr(request));
      const text = openssl("req", "-in", "csr", "-noout", "-verify", "-text");
      expect(text).toContain("verify OK");
      expect(text).toContain("DNS:a.shop");
    });
  });

  describe("what openssl issues", () => {
    test.each([
      ["EC", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]],
      [
        "EC, curve spelled out",
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-pkeyopt", "ec_param_enc:explicit"],
      ],
      ["RSA", ["-newkey", "rsa:2048"]],
      [
        "RSA-PSS",
        ["-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"],
      ],
      ["Ed25519", ["-newkey", "ed25519"]],
      ["Ed448", ["-newkey", "ed448"]],
    ])("%s: certificate, key", (_, newKey) => {
      openssl(
        ...[
          "req",
          "-x509",
          "-nodes",
          ...newKey,
          "-keyout",
          "key",
          "-out",
          "cert",
          "-days",
          "7",
          "-subj",
          "/C=DE/O=Shop/CN=a",
        ],
        ...[
          "-addext",
          "subjectAltName=DNS:a.shop,IP:10.0.0.1,URI:spiffe://shop/a,email:a@b.example,dirName:dir",
        ],
        ...[
          "-addext",
          "nameConstraints=permitted;DNS:shop,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:evil",
        ],
        ...[
          "-addext",
          "keyUsage=critical,keyCertSign,digitalSignature",
          "-addext",
          "extendedKeyUsage=clientAuth",
        ],
        ...[
          "-addext",
          "crlDistributionPoints=URI:http://crl.shop/1,URI:http://crl.shop/2",
          "-config",
          config(),
        ],
      );
      const [certificate, second] = parseCertificates(read("cert"));
      if (certificate === undefined || second !== undefined) throw new Error("not one certificate");
      expect(formatName(certificate.subject)).toBe("CN=a,O=Shop,C=DE");
      expect(certificate.subjectAltNames).toMatchObject([
        { type: "dns", value: "a.shop" },
        { type: "ip", value: "10.0.0.1" },
        { type: "uri", value: "spiffe://shop/a" },
        { type: "email", value: "a@b.example" },
        { type: "directory", name: { commonName: "inner" } },
      ]);
      expect(certificate.nameConstraints?.permitted).toEqual([
        { base: { type: "dns", value: "shop" } },
        { base: { type: "ip", value: "10.0.0.0/8" } },
      ]);
      expect(certificate.nameConstraints?.excluded).toEqual([{ base: { type: "email", value: "evil" } }]);
      expect([...(certificate.keyUsage ?? [])]).toEqual(["digitalSignature", "keyCertSign"]);
      expect(certificate.extendedKeyUsage).toEqual([EKU.clientAuth]);
      expect(certificate.crlDistributionPoints).toEqual(["http://crl.shop/1", "http://crl.shop/2"]);
      expect(certificate.authorityKeyIdentifier?.keyIdentifier).toBe(certificate.subjectKeyIdentifier);
      const { tbs, signatureAlgorithm, signature, publicKey } = certificate;
      expect(verifySignature(tbs, signatureAlgorithm, signature, publicKey)).toBe(true);
      expect(keyMatchesCertificate(parsePrivateKey(read("key")), certificate)).toBe(true);
    });

    test("key files of every form", () => {
      openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", "sec1");
      expect(read("sec1").toString()).toContain("BEGIN EC PARAMETERS");
      openssl("pkcs8", "-topk8", "-nocrypt", "-in", "sec1", "-out", "pkcs8");
      expect(parsePrivateKey(read("sec1")).equals(parsePrivateKey(read("pkcs8")))).toBe(true);
      openssl("genrsa", "-traditional", "-out", "pkcs1", "2048");
      openssl("pkcs8", "-topk8", "-nocrypt", "-in", "pkcs1", "-out", "pkcs8");
      expect(parsePrivateKey(read("pkcs1")).equals(parsePrivateKey(read("pkcs8")))).toBe(true);
      openssl("pkcs8", "-topk8", "-passout", "pass:x", "-in", "pkcs1", "-out", "locked");
      openssl("rsa", "-traditional", "-aes128", "-passout", "pass:x", "-in", "pkcs1", "-out", "old-locked");
      for (const name of ["locked", "old-locked"]) {
        expect(() => parsePrivateKey(read(name))).toThrowError(/encrypted/);
      }
    });

    test("a request", () => {
      openssl(
        ...[
          "req",
          "-new",
          "-nodes",
          "-newkey",
          "ec",
          "-pkeyopt",
          "ec_paramgen_curve:P-256",
          "-keyout",
          "key",
          "-out",
          "csr",
        ],
        ...["-subj", "/CN=a", "-addext", "subjectAltName=DNS:a.shop", "-config", config()],
      );
      const request = parseCsr(read("csr"));
      expect(verifyCsr(request)).toBe(true);
      expect(request.subjectAltNames).toEqual([{ type: "dns", value: "a.shop" }]);
    });

    test("a revocation list, also after text as openssl ca writes it", () => {
      write(
        "index.txt",
        "R\t300101000000Z\t260101000000Z,keyCompromise\t0F01\tunknown\t/CN=a\nR\t300101000000Z\t260102000000Z\t8F02\tunknown\t/CN=b\n",
      );
      write("index.txt.attr", "");
      write("crlnumber", "10\n");
      openssl(
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "rsa:2048",
        "-keyout",
        "key",
        "-out",
        "cert",
        "-subj",
        "/CN=ca",
        "-config",
        config(),
      );
      openssl(
        "ca",
        "-gencrl",
        "-config",
        config(),
        "-keyfile",
        "key",
        "-cert",
        "cert",
        "-out",
        "crl",
        "-crldays",
        "7",
      );
      openssl("crl", "-in", "crl", "-text", "-out", "crl-text");
      const [list] = parseCrls(read("crl-text"));
      expect(list?.crlNumber).toBe("10");
      expect(list?.isRevoked("0f01")).toEqual({
        date: new Date("2026-01-01T00:00:00Z"),
        reason: "keyCompromise",
      });
      expect(list?.isRevoked("008f02")).toEqual({
        date: new Date("2026-01-02T00:00:00Z"),
        reason: undefined,
      });
      expect(list?.isRevoked("01")).toBeUndefined();
    });

    test("DER and text forms of a certificate", () => {
      openssl(
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ed25519",
        "-keyout",
        "key",
        "-out",
        "cert",
        "-subj",
        "/CN=a",
        "-config",
        config(),
      );
      openssl("x509", "-in", "cert", "-text", "-out", "text");
      openssl("x509", "-in", "cert", "-outform", "DER", "-out", "der");
      const [fromText] = parseCertificates(read("text"));
      expect(fromText?.sha256).toBe(parseCertificate(read("der")).sha256);
      expect(parseCertificates(read("der"))[0]?.sha256).toBe(fromText?.sha256);
      openssl("x509", "-in", "cert", "-trustout", "-out", "trusted");
      expect(() => parseCertificates(read("trusted"))).toThrowError(/TRUSTED/);
    });
  });

  /** A configuration of our own, so that the machine's does not matter. */
  function config(): string {
    write(
      "openssl.cnf",
      `[req]
distinguished_name = name
x509_extensions = authority
[name]
[authority]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[dir]
CN = inner
[ca_default]
database = index.txt
crlnumber = crlnumber
default_md = sha256
crl_extensions = crl_ext
[crl_ext]
authorityKeyIdentifier = keyid:always
[ca]
default_ca = ca_default
`,
    );
    return "openssl.cnf";
  }
});
