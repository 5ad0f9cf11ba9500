import { generateKeyPairSync } from "node:crypto";
import { createSpiffeAuthority, type X509SvidOptions } from "@newleaf/testing";
import { type Authority, createRoot, generateKey, issueCertificate, issueIntermediate } from "@newleaf/x509";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SpiffeError } from "./error.ts";
import { parseX509Authorities } from "./x509-bundle.ts";
import { parseX509Svid } from "./x509-svid.ts";

const authority = createSpiffeAuthority();
const later = new Date(Date.now() + 3_600_000);

function refusal(action: () => unknown): SpiffeError {
  try {
    action();
  } catch (error) {
    if (error instanceof SpiffeError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

function objection(issue: X509SvidOptions): string {
  const error = refusal(() => parseX509Svid(authority.issueX509Svid(issue)));
  expect(error.code).toBe("ERR_SPIFFE_X509_SVID");
  return error.message;
}

const extra = (options: NonNullable<NonNullable<X509SvidOptions["issue"]>["extra"]>) => ({
  issue: { extra: options },
});

test("an SVID of the Workload API has an ID, a chain, a key and a hint", () => {
  const { trustDomain } = authority;
  const issued = createSpiffeAuthority({ trustDomain, intermediate: true }).issueX509Svid({
    path: "/shop/backend",
    hint: "internal",
  });
  const svid = parseX509Svid({ ...issued, id: issued.spiffeId });
  expect(`${svid.id}`).toBe("spiffe://example.org/shop/backend");
  expect(svid.certificates.map(({ sha256 }) => sha256)).toEqual(
    [issued.identity.certificate, ...issued.identity.intermediates].map(({ sha256 }) => sha256),
  );
  expect(svid.key.equals(issued.identity.key)).toBe(true);
  expect(svid.hint).toBe("internal");
  expect(Object.isFrozen(svid)).toBe(true);
});

test("X509-SVID 2: exactly one URI name, and other names are free", () => {
  expect(objection(extra({ uris: [] }))).toContain("no URI name");
  expect(objection(extra({ uris: ["spiffe://example.org/a", "spiffe://example.org/b"] }))).toContain(
    "2 URI names",
  );
  expect(objection(extra({ uris: ["spiffe://example.org/a", "https://example.org/"] }))).toContain(
    "2 URI names",
  );
  const named = authority.issueX509Svid({
    issue: { dnsNames: ["a.example", "b.example"], ips: ["127.0.0.1"] },
  });
  expect(`${parseX509Svid(named).id}`).toBe(named.spiffeId);
});

test("X509-SVID 2: the URI name is a SPIFFE ID", () => {
  for (const uri of [
    "https://example.org/a",
    "SPIFFE://example.org/a",
    "spiffe://Example.org/a",
    "spiffe://a/b/",
  ]) {
    expect(objection(extra({ uris: [uri] }))).toContain("not a SPIFFE ID");
  }
});

test("X509-SVID 3.1: a leaf has a path", () => {
  expect(objection({ spiffeId: "spiffe://example.org" })).toContain("of a trust domain");
});

test("X509-SVID 4.1: a leaf is no CA", () => {
  expect(objection({ issue: { defect: "ca_as_leaf" } })).toContain("CA certificate");
});

describe("X509-SVID 4.3: a leaf may sign handshakes and nothing else", () => {
  test.each(["keyCertSign", "cRLSign"] as const)("%s", (usage) => {
    expect(objection(extra({ keyUsage: ["digitalSignature", usage] }))).toContain(usage);
  });
  test("digitalSignature is there", () => {
    expect(objection(extra({ keyUsage: ["keyEncipherment"] }))).toContain("lacks digitalSignature");
    expect(objection(extra({ keyUsage: null }))).toContain("no key usage");
    expect(
      parseX509Svid(authority.issueX509Svid(extra({ keyUsage: ["digitalSignature", "keyEncipherment"] }))),
    ).toBeTruthy();
  });
});

describe("X509-SVID 3.2: a signing certificate below the anchor", () => {
  const root = createRoot({ subject: "CN=root", notAfter: later });
  const below = (uris: readonly string[], more: object = {}) => {
    const ca = issueIntermediate(root, { subject: "CN=ca", notAfter: later, uris, ...more });
    return { certificates: chain(ca), key: key.privateKey.export({ type: "pkcs8", format: "der" }) };
  };
  const key = generateKey();
  const chain = (ca: Authority) => {
    const leaf = issueCertificate(ca, key.publicKey, {
      subject: "CN=x",
      notAfter: later,
      uris: ["spiffe://a/b"],
    });
    return Buffer.concat([leaf.der, ca.certificate.der]);
  };

  test("has no ID, or that of a trust domain", () => {
    for (const uris of [[], ["spiffe://a"], ["spiffe://other"], ["https://ca.example/"]]) {
      expect(parseX509Svid(below(uris)).certificates).toHaveLength(2);
    }
  });
  test("has not the ID of a workload", () => {
    expect(refusal(() => parseX509Svid(below(["spiffe://a/b"]))).message).toContain("ID of a workload");
    expect(refusal(() => parseX509Svid(below(["spiffe://a/"]))).message).toContain("not a SPIFFE ID");
    expect(refusal(() => parseX509Svid(below(["spiffe://a", "spiffe://b"]))).message).toContain(
      "2 URI names",
    );
  });
  test("X509-SVID 4.1: is a CA, and X509-SVID 4.3: may sign certificates", () => {
    expect(refusal(() => parseX509Svid(below([], { isCa: false }))).message).toContain("not that of a CA");
    expect(refusal(() => parseX509Svid(below([], { keyUsage: ["cRLSign"] }))).message).toContain(
      "keyCertSign",
    );
  });
});

test("the ID that came with the certificate must be its own", () => {
  const issued = authority.issueX509Svid();
  expect(refusal(() => parseX509Svid({ ...issued, id: "spiffe://example.org/other" })).message).toContain(
    "not for the ID",
  );
});

test("the key must be the leaf's, plain PKCS#8, and nothing of it is in the error", () => {
  const issued = authority.issueX509Svid();
  const other = authority.issueX509Svid();
  expect(refusal(() => parseX509Svid({ ...issued, key: other.key })).message).toContain(
    "not that of the certificate",
  );
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
    type: "pkcs8",
    format: "der",
  });
  expect(refusal(() => parseX509Svid({ ...issued, key: rsa })).message).toContain(
    "not that of the certificate",
  );
  for (const key of [new Uint8Array(), issued.key.slice(0, -3), Buffer.concat([issued.key, issued.key])]) {
    const { message, cause } = refusal(() => parseX509Svid({ ...issued, key }));
    expect(message).toMatch(/private key|element|PRIVATE KEY/);
    expect(`${message}${String(cause)}`).not.toContain(
      Buffer.from(issued.key).toString("base64").slice(30, 60),
    );
  }
});

test("damage and excess in the chain are refused", () => {
  const issued = authority.issueX509Svid();
  const { certificates } = issued;
  const with_ = (octets: Uint8Array) =>
    refusal(() => parseX509Svid({ ...issued, certificates: octets })).message;
  expect(with_(new Uint8Array())).toContain("no certificate");
  expect(with_(certificates.slice(0, -1))).toContain("certificate 1 cannot be read");
  expect(with_(Buffer.concat([certificates, Buffer.from([0x30, 0x00])]))).toContain(
    "certificate 2 cannot be read",
  );
  expect(with_(Buffer.concat(Array(17).fill(certificates)))).toContain("more than 16 certificates");
  expect(with_(new Uint8Array(256 * 1024 + 1))).toContain("octets");
});

test("the authorities of a bundle are read one after the other; none at all is a bundle too", () => {
  const rolling = createSpiffeAuthority();
  rolling.prepare();
  expect(parseX509Authorities(rolling.x509Bundle()).map(({ sha256 }) => sha256)).toEqual(
    rolling.x509Authorities.map(({ sha256 }) => sha256),
  );
  expect(parseX509Authorities(new Uint8Array())).toEqual([]);
  expect(refusal(() => parseX509Authorities(rolling.x509Bundle().slice(0, -1))).code).toBe(
    "ERR_SPIFFE_BUNDLE",
  );
});

test("whatever octets arrive, the parsers throw nothing but this package's error", () => {
  const issued = createSpiffeAuthority({ intermediate: true }).issueX509Svid();
  const damaged = (octets: Uint8Array) =>
    fc.tuple(fc.nat(octets.length - 1), fc.nat(255), fc.boolean()).map(([at, value, cut]) => {
      const copy = Uint8Array.from(octets);
      copy[at] = value;
      return cut ? copy.slice(0, at) : copy;
    });
  const guarded = (parse: () => unknown, code: string) => {
    try {
      parse();
    } catch (error) {
      expect(error).toMatchObject({ name: "SpiffeError", code });
    }
  };
  fc.assert(
    fc.property(
      damaged(issued.certificates),
      damaged(issued.key),
      fc.boolean(),
      (certificates, key, both) => {
        guarded(() => parseX509Svid({ certificates, key: both ? key : issued.key }), "ERR_SPIFFE_X509_SVID");
        guarded(() => parseX509Svid({ certificates: issued.certificates, key }), "ERR_SPIFFE_X509_SVID");
        guarded(() => parseX509Authorities(certificates), "ERR_SPIFFE_BUNDLE");
      },
    ),
    { numRuns: 500 },
  );
});
