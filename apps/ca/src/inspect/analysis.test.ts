import { generateKeyPairSync } from "node:crypto";
import { createStyle } from "@newleaf/daemon";
import {
  type Authority,
  type AuthorityOptions,
  type Certificate,
  createCsr,
  createRoot,
  EKU,
  encodeCertificates,
  encodePem,
  generateKey,
  type IssueOptions,
  issueCertificate,
  issueCrl,
  issueIntermediate,
} from "@newleaf/x509";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { analyse } from "./analysis.ts";
import type { CheckOptions } from "./certificate-findings.ts";
import type { Input } from "./input.ts";
import { inspectionJson } from "./inspection-json.ts";
import { renderInspection } from "./render-inspection.ts";

const now = new Date("2026-01-31T12:00:00.000Z");
const hour = 3_600_000;
const day = 24 * hour;
const at = (ms: number) => new Date(now.getTime() + ms);
const valid = { notBefore: at(-hour), notAfter: at(day) };

const root = authority({ subject: "CN=shop root" });
const other = authority({ subject: "CN=shop root" });
const intermediate = issueIntermediate(root, {
  subject: "CN=shop issuing",
  notBefore: at(-day),
  notAfter: at(30 * day),
});

function authority(options: Partial<AuthorityOptions>): Authority {
  return createRoot({ subject: "CN=root", notBefore: at(-day), notAfter: at(365 * day), ...options });
}

function leaf(options: Partial<IssueOptions> = {}, issuer = root) {
  const { privateKey, publicKey } = generateKey();
  const certificate = issueCertificate(issuer, publicKey, {
    subject: "CN=backend",
    dnsNames: ["backend.shop.svc"],
    ...valid,
    ...options,
  });
  const keyPem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  return { certificate, pem: encodeCertificates([certificate]), keyPem, privateKey };
}

const pem = (...certificates: readonly Certificate[]) => encodeCertificates(certificates);

/** Files of one directory `certs`. */
function inputs(files: Readonly<Record<string, string | Uint8Array>>, mode = 0o600): readonly Input[] {
  return Object.entries(files).map(([name, content]) => ({
    path: `certs/${name}`,
    directory: "certs",
    bytes: Buffer.from(content),
    mode,
  }));
}

function findings(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: Partial<CheckOptions> = {},
  mode?: number,
) {
  const found = analyse(inputs(files, mode), {
    now,
    purpose: "mtls",
    soonMs: undefined,
    ...options,
  }).findings;
  return found.map(({ severity, code }) => `${severity} ${code}`);
}

test("a directory in order has no findings, and everything is related", () => {
  const { certificate, keyPem } = leaf({}, intermediate);
  const files = inputs({
    "ca.crt": pem(root.certificate),
    "tls.crt": pem(certificate, intermediate.certificate),
    "tls.key": keyPem,
  });
  const analysis = analyse(files, { now, purpose: "mtls", soonMs: undefined });
  expect(analysis.findings).toEqual([]);
  const text = renderInspection(analysis, createStyle(false), now);
  expect(text).toContain("verifies to   CN=shop issuing <- CN=shop root\n");
  expect(text).toContain("belongs to    CN=backend (certs/tls.crt)\n");
  expect(text).toContain("expires       in 1 day (2026-02-01T12:00:00Z)\n");
  expect(text).toMatch(/nothing to warn of\n$/);
  expect(text + JSON.stringify(inspectionJson(analysis))).not.toContain(keyPem.split("\n")[1]);
});

describe("one certificate", () => {
  test.each<[string, Partial<IssueOptions>, readonly string[]]>([
    ["expired", { notBefore: at(-2 * day), notAfter: at(-day) }, ["error expired"]],
    ["not valid yet", { notBefore: at(hour) }, ["error not_yet_valid"]],
    ["nearly over", { notBefore: at(-50 * 60_000), notAfter: at(10 * 60_000) }, ["warning expires_soon"]],
    ["just issued, not backdated", { notBefore: at(-5_000) }, ["note clock_skew"]],
    ["for servers only", { extendedKeyUsage: [EKU.serverAuth] }, ["warning wrong_usage"]],
    ["without usage", { extendedKeyUsage: null }, []],
    ["named by its common name only", { dnsNames: [] }, ["warning no_names"]],
    ["for years", { notAfter: at(800 * day) }, ["note long_lived"]],
    ["not for signing", { keyUsage: ["keyEncipherment"] }, ["error wrong_usage"]],
    ["a CA", { isCa: true, keyUsage: ["keyCertSign"], extendedKeyUsage: null }, ["error ca_as_leaf"]],
    [
      "a CA that may not sign",
      { isCa: true, keyUsage: ["digitalSignature"] },
      ["error not_a_signer", "error ca_as_leaf"],
    ],
  ])("%s", (_what, options, expected) => {
    expect(findings({ "tls.crt": leaf(options).pem })).toEqual(expected);
  });

  test("what it is for decides which usage is missed", () => {
    const { pem: text } = leaf({ extendedKeyUsage: [EKU.serverAuth] });
    expect(findings({ "tls.crt": text }, { purpose: "server" })).toEqual([]);
    expect(findings({ "tls.crt": text }, { purpose: "client" })).toEqual(["warning wrong_usage"]);
  });

  test("soon is a quarter of the lifetime, or what was asked for", () => {
    const { pem: text } = leaf({ notBefore: at(-70 * 60_000), notAfter: at(30 * 60_000) });
    expect(findings({ "tls.crt": text })).toEqual([]);
    expect(findings({ "tls.crt": text }, { soonMs: hour })).toEqual(["warning expires_soon"]);
  });

  test("a weak key", () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
    const weakRequest = createCsr(privateKey, { subject: "CN=weak", dnsNames: ["weak"] });
    const [weak] = analyse(inputs({ "weak.csr": weakRequest }), {
      now,
      purpose: "mtls",
      soonMs: undefined,
    }).findings;
    expect(weak).toMatchObject({
      severity: "error",
      code: "weak_key",
      message: expect.stringContaining("RSA 1024"),
    });
  });
});

describe("files", () => {
  test("damage is one error, with the file and what is wrong", () => {
    const { pem: text } = leaf();
    const half = text.slice(0, text.length / 2);
    expect(findings({ "tls.crt": half })).toEqual(["error unreadable"]);
    expect(findings({ "tls.crt": "" })).toEqual(["error unreadable"]);
    expect(findings({ "tls.crt": "hello" })).toEqual(["error unreadable"]);
    expect(findings({ "README.md": "hello" })).toEqual([]);
    expect(findings({ "a.p12": Buffer.from("3003020103", "hex") })).toEqual(["error unreadable"]);
    expect(findings({ "b.crt": text.replace(/^[A-Za-z0-9+/]{8}/m, "AAAAAAAA") })).toEqual([
      "error unreadable",
    ]);
  });

  test("DER is read as what it is", () => {
    const { certificate, privateKey } = leaf();
    const crl = issueCrl(root, { revoked: [], thisUpdate: at(-hour), nextUpdate: at(day), number: 1 });
    const kinds = analyse(
      inputs({
        "a.der": certificate.der,
        "b.der": privateKey.export({ type: "pkcs8", format: "der" }),
        "c.der": privateKey.export({ type: "sec1", format: "der" }),
        "d.crl": crl.der,
        "e.csr": createCsr(privateKey, { subject: "CN=a", dnsNames: ["a"] }),
      }),
      { now, purpose: "mtls", soonMs: undefined },
    ).files.flatMap(({ items }) => items.map(({ kind }) => kind));
    expect(kinds).toEqual(["certificate", "private key", "private key", "revocation list", "request"]);
  });

  test("a key that others can read, or that is encrypted", () => {
    const { keyPem, privateKey } = leaf();
    expect(findings({ "tls.key": keyPem }, {}, 0o644)).toEqual(["warning readable_key"]);
    expect(findings({ "tls.key": keyPem }, {}, 0o640)).toEqual(["note readable_key"]);
    const encryption = { format: "pem", cipher: "aes-256-cbc", passphrase: "x" } as const;
    for (const type of ["pkcs8", "sec1"] as const) {
      const encrypted = String(privateKey.export({ type, ...encryption }));
      expect(findings({ "tls.key": encrypted })).toEqual(["warning encrypted_key"]);
    }
  });

  test("duplicates, several leaves, and the order of a chain", () => {
    const [a, b] = [leaf({}, intermediate).certificate, leaf().certificate];
    const [root_, issuing] = [root.certificate, intermediate.certificate];
    expect(findings({ "ca.crt": pem(root_, root_) })).toEqual(["warning duplicate"]);
    expect(findings({ "tls.crt": pem(b, a) })).toEqual(["warning several_leaves"]);
    expect(findings({ "chain.pem": pem(issuing, a) })).toEqual(["error chain_order"]);
    expect(findings({ "chain.pem": pem(a, root_, issuing) })).toContain("warning chain_order");
    expect(findings({ "chain.pem": pem(a, issuing, root_) })).toEqual(["note root_in_chain"]);
    expect(findings({ "ca.crt": pem(issuing, root_) })).toEqual([]);
  });
});

describe("relations", () => {
  test("a key beside a certificate that is not its own", () => {
    const [a, b] = [leaf(), leaf({ subject: "CN=frontend" })];
    expect(findings({ "tls.crt": a.pem, "tls.key": b.keyPem })).toEqual(["error key_mismatch"]);
    const both = [
      ...inputs({ "tls.crt": a.pem, "tls.key": b.keyPem }),
      { path: "elsewhere/tls.crt", directory: "elsewhere", bytes: Buffer.from(b.pem), mode: 0o644 },
    ];
    const [mismatch] = analyse(both, { now, purpose: "mtls", soonMs: undefined }).findings;
    expect(mismatch?.message).toBe(
      "the private key does not belong to CN=backend; it belongs to CN=frontend in elsewhere/tls.crt",
    );
  });

  test("a leaf of another authority, also one of the same name, and of a missing intermediate", () => {
    expect(findings({ "tls.crt": leaf().pem, "ca.crt": pem(other.certificate) })).toEqual([
      "error unverified_chain",
    ]);
    const { pem: text } = leaf({}, intermediate);
    expect(findings({ "tls.crt": text, "ca.crt": pem(root.certificate) })).toEqual([
      "error unverified_chain",
    ]);
  });

  test("an expired leaf of the right authority is only expired", () => {
    const { pem: text } = leaf({ notBefore: at(-20 * hour), notAfter: at(-hour) });
    expect(findings({ "tls.crt": text, "ca.crt": pem(root.certificate) })).toEqual(["error expired"]);
  });

  test("revocation lists: revoked, expired, soon, forged", () => {
    const { certificate, pem: text } = leaf();
    const list = (nextUpdate: Date, issuer = root, revoked = false) =>
      encodePem(
        "X509 CRL",
        issueCrl(issuer, {
          revoked: revoked ? [{ serialNumber: certificate.serialNumber, date: at(-60_000) }] : [],
          thisUpdate: at(-2 * hour),
          nextUpdate,
          number: 1,
        }).der,
      );
    const files = (crl: string) => ({ "tls.crt": text, "ca.crt": pem(root.certificate), "crl.pem": crl });
    expect(findings(files(list(at(day))))).toEqual([]);
    expect(findings(files(list(at(day), root, true)))).toEqual(["error revoked"]);
    expect(findings(files(list(at(-hour))))).toEqual(["error crl_expired"]);
    expect(findings(files(list(at(600_000))))).toEqual(["warning crl_expires_soon"]);
    expect(findings(files(list(at(day), other)))).toEqual(["error crl_bad_signature", "warning crl_missing"]);
  });

  test("a request: what it asks for, and whether its key signed it", () => {
    const { privateKey } = leaf();
    const csr = createCsr(privateKey, { subject: "CN=a", dnsNames: ["a.example"] });
    expect(findings({ "a.csr": csr })).toEqual([]);
    expect(findings({ "a.csr": createCsr(privateKey, { subject: "CN=a" }) })).toEqual(["warning no_names"]);
    const key = String(privateKey.export({ type: "pkcs8", format: "pem" }));
    const both = analyse(inputs({ "a.csr": csr, "a.key": key }), { now, purpose: "mtls", soonMs: undefined });
    expect(renderInspection(both, createStyle(false), now)).toContain(
      "belongs to   the request (certs/a.csr)\n",
    );
    const forged = Uint8Array.from(csr);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    expect(findings({ "a.csr": forged })).toEqual(["error bad_request"]);
  });
});

test("a long bundle is a list", () => {
  const many = Array.from(
    { length: 12 },
    (_, index) => authority({ subject: `CN=root ${index}` }).certificate,
  );
  const analysis = analyse(inputs({ "bundle.pem": pem(...many) }), {
    now,
    purpose: "mtls",
    soonMs: undefined,
  });
  const text = renderInspection(analysis, createStyle(false), now);
  expect(text).toContain("12 CERTIFICATES\n  expires in 1 year (2027-01-31T12:00:00Z)  CN=root 0\n");
  expect(text.split("\n").length).toBeLessThan(20);
});

test("damaged input is described, never thrown at", () => {
  const { certificate, keyPem } = leaf();
  const originals = [Buffer.from(pem(certificate, root.certificate) + keyPem), Buffer.from(certificate.der)];
  fc.assert(
    fc.property(
      fc.constantFrom(...originals),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }),
      (original, changes) => {
        const bytes = Buffer.from(original);
        for (const [offset, value] of changes) bytes[offset % bytes.length] = value;
        const analysis = analyse(inputs({ "tls.crt": bytes }), { now, purpose: "mtls", soonMs: undefined });
        renderInspection(analysis, createStyle(false), now);
        JSON.stringify(inspectionJson(analysis));
      },
    ),
    { numRuns: 500 },
  );
});
