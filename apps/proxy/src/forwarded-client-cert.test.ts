import { createTestAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { forwardedClientCert } from "./forwarded-client-cert.ts";

const authority = createTestAuthority();

function peer(options: Parameters<typeof authority.issue>[0] & object) {
  const leaf = authority.issue(options).certificate;
  const names = (type: "dns" | "uri") =>
    leaf.subjectAltNames.flatMap((name) => (name.type === type && "value" in name ? [name.value] : []));
  return {
    leaf,
    path: [leaf],
    validUntil: leaf.notAfter,
    generation: 1,
    dnsNames: names("dns"),
    uris: names("uri"),
    commonName: leaf.subject.commonName,
    address: "127.0.0.1:1",
    resumed: false,
  };
}

test("every name is an element of its own", () => {
  const verified = peer({ uris: ["spiffe://a/b", "spiffe://a/c"], dnsNames: ["x.example", "y.example"] });
  expect(forwardedClientCert(verified, "spiffe://a/self")).toBe(
    `By=spiffe://a/self;Hash=${verified.leaf.sha256};Subject="CN=x.example";URI=spiffe://a/b;URI=spiffe://a/c;DNS=x.example;DNS=y.example`,
  );
});

test("a name cannot break out of its element", () => {
  const value = forwardedClientCert(
    peer({
      dnsNames: ["x"],
      uris: ["https://a/;URI=spiffe://a/admin,By=x"],
      extra: { subject: 'CN=a\\"\\;URI\\=admin' },
    }),
    "me",
  );
  expect(value).toContain(';URI="https://a/;URI=spiffe://a/admin,By=x";');
  const unquoted = value.replaceAll(/"(?:[^"\\]|\\.)*"/g, "");
  expect(unquoted.split(";")).toHaveLength(5);
  expect(unquoted).not.toContain("admin");
});

test("what no header may hold is percent-encoded", () => {
  const value = forwardedClientCert(
    peer({ dnsNames: ["x"], extra: { subject: "CN=café\\0D\\0AX-Evil: 1" } }),
    "me",
  );
  expect(value).toMatch(/^[\x20-\x7e]+$/);
  expect(value).toContain("caf%c3%a9");
});
