import type { Authorizer, VerifiedPeer } from "@newleaf/rotation";
import { createSpiffeAuthority } from "@newleaf/testing";
import { describe, expect, test } from "vitest";
import { spiffe } from "./authorizers.ts";
import { parseSpiffeId, parseTrustDomain } from "./spiffe-id.ts";

const { certificate } = createSpiffeAuthority().issueX509Svid().identity;

function peer(...uris: readonly string[]): VerifiedPeer {
  const validUntil = certificate.notAfter;
  const rest = { dnsNames: [], commonName: undefined, address: "unix", resumed: false, generation: 1 };
  return { leaf: certificate, path: [certificate], validUntil, uris, ...rest };
}

const backend = peer("spiffe://example.org/shop/backend");
const frontend = peer("spiffe://example.org/shop/frontend");
const foreign = peer("spiffe://other.org/shop/backend");

function allowed(authorize: Authorizer): readonly VerifiedPeer[] {
  return [backend, frontend, foreign].filter(authorize);
}

test("any, id, oneOf, memberOf and match", () => {
  expect(allowed(spiffe.any())).toEqual([backend, frontend, foreign]);
  expect(allowed(spiffe.id("spiffe://example.org/shop/backend"))).toEqual([backend]);
  expect(allowed(spiffe.id(parseSpiffeId("spiffe://example.org/shop/backend"), "spiffe://x/y"))).toEqual([
    backend,
  ]);
  expect(allowed(spiffe.oneOf("spiffe://example.org/shop/backend", spiffe.memberOf("other.org")))).toEqual([
    backend,
    foreign,
  ]);
  expect(allowed(spiffe.memberOf("example.org"))).toEqual([backend, frontend]);
  expect(allowed(spiffe.memberOf(parseTrustDomain("example.org"), "spiffe://other.org"))).toHaveLength(3);
  expect(allowed(spiffe.match(({ path }) => path.endsWith("/backend")))).toEqual([backend, foreign]);
  expect(allowed(spiffe.match((_, { validUntil }) => validUntil.getTime() === 0))).toEqual([]);
});

describe("X509-SVID 5.2: without exactly one SPIFFE ID of a workload nobody is allowed", () => {
  const rules = [
    spiffe.any(),
    spiffe.id("spiffe://example.org/a"),
    spiffe.oneOf("spiffe://example.org/a"),
    spiffe.memberOf("example.org"),
    spiffe.match(() => true),
  ];
  test.each([
    [],
    ["spiffe://example.org/a", "spiffe://example.org/a"],
    ["spiffe://example.org/a", "https://example.org/"],
    ["spiffe://example.org"],
    ["spiffe://example.org/a/"],
    ["spiffe://example.org/x/../a"],
    ["spiffe://EXAMPLE.org/a"],
    ["https://example.org/a"],
  ])("%j %j", (...uris) => expect(rules.filter((authorize) => authorize(peer(...uris)))).toEqual([]));
  test("while this one is", () =>
    expect(rules.filter((authorize) => authorize(peer("spiffe://example.org/a")))).toHaveLength(5));
});

test("only `true` is a yes", () => {
  expect(allowed(spiffe.match((() => "yes") as never))).toEqual([]);
  expect(allowed(spiffe.oneOf((() => 1) as never))).toEqual([]);
});

test("a rule that would allow nobody is a mistake", () => {
  for (const rule of [spiffe.id, spiffe.oneOf, spiffe.memberOf]) {
    expect(() => rule()).toThrow(expect.objectContaining({ code: "ERR_SPIFFE_OPTIONS" }));
  }
  expect(() => spiffe.id("spiffe://example.org")).toThrow(
    expect.objectContaining({ code: "ERR_SPIFFE_OPTIONS" }),
  );
  expect(() => spiffe.id("example.org/a")).toThrow(expect.objectContaining({ code: "ERR_SPIFFE_ID" }));
  expect(() => spiffe.memberOf("Example.org")).toThrow(expect.objectContaining({ code: "ERR_SPIFFE_ID" }));
});
