import { X509Certificate } from "node:crypto";
import { createTrustBundle, EKU, parseCertificates, parseCrls, validatePath } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createTestAuthority } from "./test-authority.ts";

test("a leaf verifies to its root, with the key that came with it", () => {
  const authority = createTestAuthority();
  const identity = authority.issue({ dnsNames: ["backend.shop.svc"], ttlMs: 5_000 });
  const leaf = new X509Certificate(identity.certificatePem);
  expect(leaf.verify(authority.root.certificate.publicKey)).toBe(true);
  expect(leaf.checkPrivateKey(identity.key)).toBe(true);
  expect(leaf.subjectAltName).toBe("DNS:backend.shop.svc, IP Address:127.0.0.1");
  expect(identity.files()).toEqual({
    "tls.crt": identity.chainPem,
    "tls.key": identity.keyPem,
    "ca.crt": authority.trustPem,
  });
});

test("with an intermediate the chain carries it and the trust does not", () => {
  const authority = createTestAuthority({ intermediate: true });
  const identity = authority.issue();
  expect(parseCertificates(identity.chainPem).map((certificate) => certificate.sha256)).toEqual([
    identity.certificate.sha256,
    authority.intermediate?.certificate.sha256,
  ]);
  expect(parseCertificates(authority.trustPem)).toHaveLength(1);
});

test.each(["pkcs8", "sec1"] as const)("keys come as %s", (keyFormat) => {
  const { keyPem } = createTestAuthority().issue({ keyFormat });
  expect(keyPem).toContain(keyFormat === "sec1" ? "BEGIN EC PRIVATE KEY" : "BEGIN PRIVATE KEY");
});

test("each defect is in the certificate, and nothing else is wrong with it", () => {
  const now = Date.UTC(2030, 5, 1);
  const authority = createTestAuthority({ now: () => now });
  const issue = (defect: Parameters<typeof authority.issue>[0] & object) =>
    authority.issue(defect).certificate;
  expect(issue({ defect: "expired" }).notAfter.getTime()).toBeLessThan(now);
  expect(issue({ defect: "not_yet_valid" }).notBefore.getTime()).toBeGreaterThan(now);
  expect(issue({ defect: "server_auth_only" }).extendedKeyUsage).toEqual([EKU.serverAuth]);
  expect(issue({ defect: "no_extended_key_usage" }).extendedKeyUsage).toBeUndefined();
  expect(issue({ defect: "ca_as_leaf" }).basicConstraints?.cA).toBe(true);
  const incomplete = authority.issue({ defect: "chain_incomplete" });
  expect(incomplete.intermediates).toEqual([]);
  expect(incomplete.certificate.issuer.commonName).toBe("Newleaf test intermediate");
  const unknown = new X509Certificate(authority.issue({ defect: "unknown_authority" }).certificatePem);
  expect(unknown.verify(authority.root.certificate.publicKey)).toBe(false);
  expect(unknown.issuer).toBe("CN=Newleaf test root");
});

test("revoked leaves are on the list of their issuer, and every authority has one", () => {
  const authority = createTestAuthority({ intermediate: true });
  const [good, revoked] = [authority.issue(), authority.issue({ defect: "revoked" })];
  const check = (identity: typeof good, crlPem: string) => {
    const options = {
      now: new Date(),
      purpose: "clientAuth",
      intermediates: identity.intermediates,
    } as const;
    const trust = createTrustBundle(authority.certificates);
    const result = validatePath(identity.certificate, trust, { ...options, crls: parseCrls(crlPem) });
    return result.ok ? "ok" : result.code;
  };
  expect(check(good, authority.crlPem())).toBe("ok");
  expect(check(revoked, authority.crlPem())).toBe("revoked");
  expect(check(good, authority.crlPem({ expired: true }))).toBe("crl_expired");
  expect(check(good, authority.crlPem({ withoutRoot: true }))).toBe("crl_missing");
});

test("a roll has the same name, another key, and a bundle with both", () => {
  const { old, next, bothPem } = createTestAuthority().roll();
  expect(next.root.certificate.subject.commonName).toBe(old.root.certificate.subject.commonName);
  expect(parseCertificates(bothPem).map(({ sha256 }) => sha256)).toEqual([
    old.root.certificate.sha256,
    next.root.certificate.sha256,
  ]);
});
