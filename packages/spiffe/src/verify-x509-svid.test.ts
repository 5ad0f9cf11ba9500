import { createManualClock, createSpiffeAuthority, type SpiffeAuthority } from "@newleaf/testing";
import {
  type Certificate,
  createRoot,
  createTrustBundle,
  EKU,
  generateKey,
  issueCertificate,
  issueIntermediate,
  parseCrls,
} from "@newleaf/x509";
import { describe, expect, test } from "vitest";
import { createSpiffePeerTrust } from "./peer-trust.ts";
import { type VerifyX509SvidOptions, verifyX509Svid, type X509SvidVerdict } from "./verify-x509-svid.ts";
import { parseX509Svid } from "./x509-svid.ts";

const ours = createSpiffeAuthority({ trustDomain: "ours.example" });
const theirs = createSpiffeAuthority({ trustDomain: "theirs.example", intermediate: true });
const bundles = (...authorities: readonly SpiffeAuthority[]) =>
  new Map(
    authorities.map(({ trustDomain, x509Authorities }) => [trustDomain, createTrustBundle(x509Authorities)]),
  );
const both = bundles(ours, theirs);
const chainOf = (authority: SpiffeAuthority, options = {}) =>
  parseX509Svid(authority.issueX509Svid(options)).certificates;

function verify(
  chain: readonly Certificate[],
  options: Partial<VerifyX509SvidOptions> & { readonly by?: typeof both } = {},
): X509SvidVerdict {
  const { by = both, ...rest } = options;
  return verifyX509Svid(chain, by, { now: new Date(), purpose: "clientAuth", ...rest });
}

const codeOf = (verdict: X509SvidVerdict) => (verdict.ok ? "ok" : verdict.code);

test("X509-SVID 5.1: a path to the bundle of the SVID's own trust domain", () => {
  const chain = chainOf(theirs, { path: "/db" });
  const verdict = verify(chain);
  expect(verdict).toMatchObject({ ok: true, validUntil: chain[0]?.notAfter });
  expect(verdict.ok && `${verdict.id}`).toBe("spiffe://theirs.example/db");
  expect(verdict.ok && verdict.path).toEqual([...chain, ...theirs.x509Authorities]);
  expect(codeOf(verify(chain, { purpose: "serverAuth" }))).toBe("ok");
});

test("X509-SVID 5.1: the rules of RFC 5280 hold", () => {
  const [leaf] = chainOf(theirs);
  expect(codeOf(verify(leaf ? [leaf] : []))).toBe("unknown_authority");
  const issue = (options: object) => codeOf(verify(chainOf(ours, { issue: options })));
  expect(issue({ defect: "expired" })).toBe("expired");
  expect(issue({ defect: "not_yet_valid" })).toBe("not_yet_valid");
  expect(issue({ defect: "unknown_authority" })).toBe("unknown_authority");
  expect(
    issue({
      extra: { extraExtensions: [{ oid: "1.2.3.4", critical: true, value: new Uint8Array([5, 0]) }] },
    }),
  ).toBe("unknown_critical_extension");
  const end = chainOf(ours)[0]?.notAfter ?? new Date();
  expect(codeOf(verify(chainOf(ours), { now: new Date(end.getTime() + 120_000) }))).toBe("expired");
});

test("X509-SVID 4.4: an extended key usage, where there is one, must fit", () => {
  const serverOnly = chainOf(ours, { issue: { extra: { extendedKeyUsage: [EKU.serverAuth] } } });
  expect(codeOf(verify(serverOnly))).toBe("wrong_usage");
  expect(codeOf(verify(serverOnly, { purpose: "serverAuth" }))).toBe("ok");
  expect(codeOf(verify(chainOf(ours, { issue: { extra: { extendedKeyUsage: null } } })))).toBe("ok");
});

test("SPIFFE Trust Domain and Bundle 3: one trust domain's authority cannot speak for another's members", () => {
  const forged = chainOf(ours, { spiffeId: "spiffe://theirs.example/db" });
  expect(codeOf(verify(forged))).toBe("unknown_authority");
  expect(codeOf(verify(chainOf(ours)))).toBe("ok");
});

test("X509-SVID 5.1: without a bundle, or with an empty one, nobody is trusted", () => {
  for (const by of [new Map(), bundles(theirs), new Map([["ours.example", createTrustBundle([])]])]) {
    expect(codeOf(verify(chainOf(ours), { by }))).toBe("unknown_authority");
  }
  // The names are compared whole.
  const trust = createTrustBundle(ours.x509Authorities);
  expect(
    codeOf(
      verify(chainOf(ours), {
        by: new Map([
          ["spiffe://ours.example", trust],
          ["example", trust],
        ]),
      }),
    ),
  ).toBe("unknown_authority");
});

describe("X509-SVID 5.2: leaf validation", () => {
  const issue = (extra: object) => ours.issueX509Svid({ issue: { extra } }).identity.certificate;
  const usages = (...more: string[]) => ({ keyUsage: ["digitalSignature", ...more] });
  test.each([
    ["cA is false", issue({ isCa: true, keyUsage: ["digitalSignature"] })],
    ["keyCertSign is not set", issue(usages("keyCertSign"))],
    ["cRLSign is not set", issue(usages("cRLSign"))],
    ["digitalSignature is set", issue({ keyUsage: ["keyAgreement"] })],
    ["the scheme is spiffe", issue({ uris: ["https://ours.example/a"] })],
    ["the path is not the root", issue({ uris: ["spiffe://ours.example"] })],
    ["there is one URI name", issue({ uris: ["spiffe://ours.example/a", "spiffe://ours.example/a"] })],
    ["there is a URI name", issue({ uris: [], dnsNames: ["ours.example"] })],
  ])("%s", (_, leaf) => {
    expect(codeOf(verify([leaf]))).toBe("not_svid");
    expect(createSpiffePeerTrust(both).select(leaf)).toMatchObject({ code: "not_svid" });
  });
  test("there is a certificate", () => expect(codeOf(verify([]))).toBe("not_svid"));
});

test("X509-SVID 3.2: signing certificates authenticate nobody, not even with the ID of a workload", () => {
  const later = new Date(Date.now() + 3_600_000);
  const root = createRoot({ subject: "CN=root", notAfter: later, uris: ["spiffe://ours.example/root"] });
  const by = new Map([["ours.example", createTrustBundle([root.certificate])]]);
  expect(codeOf(verify([root.certificate], { by }))).toBe("not_svid");
});

test("X509-SVID 3.2: an intermediate with the ID of a workload makes no path", () => {
  const later = new Date(Date.now() + 3_600_000);
  const root = createRoot({ subject: "CN=root", notAfter: later });
  const by = new Map([["ours.example", createTrustBundle([root.certificate])]]);
  const below = (uris: readonly string[]) => {
    const ca = issueIntermediate(root, { subject: "CN=ca", notAfter: later, uris });
    const options = { subject: "CN=a", notAfter: later, uris: ["spiffe://ours.example/a"] };
    return [issueCertificate(ca, generateKey().publicKey, options), ca.certificate];
  };
  expect(codeOf(verify(below(["spiffe://ours.example/ca"]), { by }))).toBe("not_svid");
  expect(codeOf(verify(below(["spiffe://ours.example"]), { by }))).toBe("ok");
  expect(codeOf(verify(below([]), { by }))).toBe("ok");
  const trust = createSpiffePeerTrust(by);
  const path = (uris: readonly string[]) => [...below(uris), root.certificate];
  expect(trust.objection(path(["spiffe://ours.example/ca"]))).toMatchObject({ code: "not_svid" });
  expect(trust.objection(path(["spiffe://ours.example"]))).toBeUndefined();
});

test("X509-SVID 4.2: a name constraint on URIs keeps a signing certificate inside its trust domain", () => {
  const later = new Date(Date.now() + 3_600_000);
  const root = createRoot({ subject: "CN=root", notAfter: later });
  const permitted = [{ type: "uri", value: "ours.example" } as const];
  const ca = issueIntermediate(root, { subject: "CN=ca", notAfter: later, nameConstraints: { permitted } });
  const chain = (uri: string) => {
    const options = { subject: "CN=a", notAfter: later, uris: [uri] };
    return [issueCertificate(ca, generateKey().publicKey, options), ca.certificate];
  };
  const anchor = createTrustBundle([root.certificate]);
  const by = new Map([
    ["ours.example", anchor],
    ["theirs.example", anchor],
  ]);
  expect(codeOf(verify(chain("spiffe://ours.example/a"), { by }))).toBe("ok");
  expect(codeOf(verify(chain("spiffe://theirs.example/a"), { by }))).toBe("name_constraints");
});

test("X509-SVID 5.1: revocation lists are honoured", () => {
  const clock = createManualClock(Date.now());
  const authority = createSpiffeAuthority({ trustDomain: "ours.example", now: clock.now });
  const [kept, revoked] = [authority.issueX509Svid(), authority.issueX509Svid()];
  authority.x509.revoke(revoked.identity);
  const by = bundles(authority);
  const check = (issued: typeof kept, crls = parseCrls(authority.x509.crlPem())) =>
    codeOf(verify(parseX509Svid(issued).certificates, { by, crls }));
  expect(check(kept)).toBe("ok");
  expect(check(revoked)).toBe("revoked");
  expect(check(kept, parseCrls(authority.x509.crlPem({ expired: true })))).toBe("crl_expired");
  expect(check(kept, parseCrls(theirs.x509.crlPem()))).toBe("crl_missing");
  expect(check(revoked, [])).toBe("ok");
});

describe("as the peer trust of a generation", () => {
  test("selects the bundle of the peer's trust domain", () => {
    const trust = createSpiffePeerTrust(both);
    expect(trust.certificates).toEqual([...ours.x509Authorities, ...theirs.x509Authorities]);
    const leaf = ours.issueX509Svid().identity.certificate;
    expect(trust.select(leaf)).toBe(both.get("ours.example"));
    expect(createSpiffePeerTrust(bundles(theirs)).select(leaf)).toEqual({
      code: "unknown_authority",
      message: "there is no bundle of the trust domain ours.example",
    });
    const empty = createSpiffePeerTrust(new Map([["ours.example", createTrustBundle([])]]));
    expect(empty.select(leaf)).toMatchObject({ code: "unknown_authority" });
    expect(empty.certificates).toEqual([]);
  });

  test("is equal for equal contents, whatever the order, and differs when a bundle changes its owner", () => {
    const hash = (map: typeof both) => createSpiffePeerTrust(map).sha256;
    const [a, b] = [createTrustBundle(ours.x509Authorities), createTrustBundle(theirs.x509Authorities)];
    expect(
      hash(
        new Map([
          ["a", a],
          ["b", b],
        ]),
      ),
    ).toBe(
      hash(
        new Map([
          ["b", b],
          ["a", a],
        ]),
      ),
    );
    expect(
      hash(
        new Map([
          ["a", a],
          ["b", b],
        ]),
      ),
    ).not.toBe(
      hash(
        new Map([
          ["a", b],
          ["b", a],
        ]),
      ),
    );
    expect(hash(new Map([["a", a]]))).not.toBe(
      hash(
        new Map([
          ["a", a],
          ["b", createTrustBundle([])],
        ]),
      ),
    );
    expect(hash(new Map())).toMatch(/^[0-9a-f]{64}$/);
  });

  test("does not change with the map it was made of", () => {
    const map = new Map(both);
    const trust = createSpiffePeerTrust(map);
    map.clear();
    expect(trust.select(ours.issueX509Svid().identity.certificate)).toBe(both.get("ours.example"));
  });
});
