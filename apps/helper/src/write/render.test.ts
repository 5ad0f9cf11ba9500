import { createPrivateKey } from "node:crypto";
import { parseJwtBundle, parseX509Svid, type X509Bundles } from "@newleaf/spiffe";
import { createSpiffeAuthority, createTestAuthority } from "@newleaf/testing";
import { createTrustBundle, encodeCertificates, parseCertificates } from "@newleaf/x509";
import { expect, test } from "vitest";
import type { FilesConfig } from "../config/files-config.ts";
import { renderJwtBundles } from "./render-jwt.ts";
import { renderX509 } from "./render-x509.ts";

const authority = createSpiffeAuthority({ intermediate: true });
const other = createSpiffeAuthority({ trustDomain: "other.org" });
const issued = authority.issueX509Svid();
const svid = parseX509Svid(issued);
const expired = createTestAuthority({ now: () => Date.parse("2001-01-01") });
const expiredRoot = expired.issue({
  defect: "ca_as_leaf",
  notBefore: new Date(0),
  notAfter: new Date(1_000),
}).certificate;
const bundles: X509Bundles = new Map([
  ["other.org", createTrustBundle(other.x509Authorities)],
  ["example.org", createTrustBundle([...authority.x509Authorities, expiredRoot])],
]);

const plain: FilesConfig = {
  directory: ".",
  publish: "directory",
  svid: { certificates: "svid.pem", key: "key.pem", bundle: "bundle.pem" },
  credential: undefined,
  trustDomainBundle: undefined,
  jwtBundle: undefined,
  modes: { cert: 0o644, key: 0o600, jwtBundle: 0o600, jwtSvid: 0o600 },
  owner: undefined,
  addIntermediatesToBundle: false,
  includeFederatedDomains: false,
  omitExpired: false,
};

function render(config: Partial<FilesConfig> = {}) {
  const files = renderX509(svid, bundles, { ...plain, ...config }, new Date());
  const text = (name: string) => String(files.get(name)?.content);
  return { files, text, names: (name: string) => parseCertificates(text(name)).map(({ sha256 }) => sha256) };
}

const [root] = authority.x509Authorities.map(({ sha256 }) => sha256);
const [leaf, intermediate] = svid.certificates.map(({ sha256 }) => sha256);
const [foreign] = other.x509Authorities.map(({ sha256 }) => sha256);

test("options svid_file_name, svid_key_file_name, svid_bundle_file_name: chain, PKCS#8 key, own authorities", () => {
  const { files, text, names } = render();
  expect([...files.keys()]).toEqual(["bundle.pem", "key.pem", "svid.pem"]);
  expect(text("svid.pem")).toBe(encodeCertificates(svid.certificates));
  expect(names("bundle.pem")).toEqual([root, expiredRoot.sha256]);
  expect(text("key.pem")).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  expect(createPrivateKey(text("key.pem")).equals(svid.key)).toBe(true);
  expect([...files.values()].map(({ mode }) => mode)).toEqual([0o644, 0o600, 0o644]);
});

test("option add_intermediates_to_bundle: moves chain[1:] from the SVID file to the bundle file", () => {
  const { names } = render({ addIntermediatesToBundle: true });
  expect(names("svid.pem")).toEqual([leaf]);
  expect(names("bundle.pem")).toEqual([root, expiredRoot.sha256, intermediate]);
});

test("option include_federated_domains: concatenates foreign authorities into the bundle", () => {
  const { names } = render({ includeFederatedDomains: true });
  expect(names("bundle.pem")).toEqual([root, expiredRoot.sha256, foreign]);
});

test("option omit_expired, PR 308: no expired certificate in any file", () => {
  const { names } = render({ omitExpired: true, trustDomainBundle: "{trust_domain}.pem" });
  expect(names("bundle.pem")).toEqual([root]);
  expect(names("example.org.pem")).toEqual([root]);
  expect(names("svid.pem")).toEqual([leaf, intermediate]);
});

test("issue #217: a bundle for each trust domain keeps federated authorities apart", () => {
  const { files, names } = render({ trustDomainBundle: "ca-{trust_domain}.pem" });
  expect([...files.keys()]).toEqual([
    "ca-example.org.pem",
    "ca-other.org.pem",
    "bundle.pem",
    "key.pem",
    "svid.pem",
  ]);
  expect(names("ca-other.org.pem")).toEqual([foreign]);
  expect(names("bundle.pem")).not.toContain(foreign);
});

test("issue #7, SPIFFE Filesystem Delivery: one credential file, the PKCS#8 key first, then the certificates", () => {
  const { files, text } = render({
    svid: undefined,
    credential: "credential.pem",
    addIntermediatesToBundle: true,
  });
  expect([...files.keys()]).toEqual(["credential.pem"]);
  expect(text("credential.pem").match(/-----BEGIN [A-Z ]+-----/g)).toEqual([
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN CERTIFICATE-----",
  ]);
  expect(files.get("credential.pem")?.mode).toBe(0o600);
});

test("without a bundle of the SVID's trust domain nothing is written", () => {
  const without: X509Bundles = new Map([["other.org", createTrustBundle(other.x509Authorities)]]);
  expect(() => renderX509(svid, without, plain, new Date())).toThrow(
    /no bundle of the trust domain example.org/,
  );
});

test("option jwt_bundle_file_name: trust domain to base64 of a JWK Set, members as Go writes them", () => {
  const text = renderJwtBundles(
    new Map(
      [other, authority].map(
        (each) => [each.trustDomain, parseJwtBundle(each.trustDomain, each.jwtBundle())] as const,
      ),
    ),
  );
  const parsed: Record<string, string> = JSON.parse(text);
  expect(Object.keys(parsed)).toEqual(["example.org", "other.org"]);
  const jwks = Buffer.from(String(parsed["example.org"]), "base64").toString();
  expect(jwks).toMatch(
    /^\{"keys":\[\{"kty":"EC","kid":"[^"]+","crv":"P-256","x":"[\w-]{43}","y":"[\w-]{43}"\}\]\}$/,
  );
});
