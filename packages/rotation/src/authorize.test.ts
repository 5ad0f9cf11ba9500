import { describe, expect, test } from "vitest";
import { allow } from "./authorize.ts";
import { RotationError } from "./error.ts";
import type { VerifiedPeer } from "./verified-peer.ts";

function peer(names: Partial<Pick<VerifiedPeer, "dnsNames" | "uris" | "commonName">>): VerifiedPeer {
  return { dnsNames: [], uris: [], commonName: undefined, ...names } as unknown as VerifiedPeer;
}

describe("allow.dns", () => {
  test.each([
    ["frontend.shop.svc", "frontend.shop.svc", true],
    ["frontend.shop.svc", "FRONTEND.Shop.svc", true],
    ["frontend.shop.svc", "frontend.shop.svc.", true],
    ["frontend.shop.svc", "frontend.shop.svc.evil", false],
    ["frontend.shop.svc", "a.frontend.shop.svc", false],
    ["*.shop.svc", "frontend.shop.svc", true],
    ["*.shop.svc", "a.frontend.shop.svc", false],
    ["*.shop.svc", "shop.svc", false],
    ["*.shop.svc", ".shop.svc", false],
    ["*.shop.svc", "xshop.svc", false],
    ["*.shop.svc", "*.shop.svc", false],
    ["frontend.shop.svc", "*.shop.svc", false],
    ["*.shop.svc", "a b.shop.svc", false],
  ])("%s and %s: %s", (pattern, name, allowed) => {
    expect(allow.dns(pattern)(peer({ dnsNames: ["other", name] }))).toBe(allowed);
  });

  test("looks at DNS names only", () => {
    expect(allow.dns("frontend")(peer({ commonName: "frontend", uris: ["frontend"] }))).toBe(false);
  });

  test.each(["", "*", "*.", "a.*.svc", "**.svc", "a..b", "spiffe://x"])(
    "refuses the pattern %j",
    (pattern) => {
      expect(() => allow.dns(pattern)).toThrow(RotationError);
    },
  );
});

describe("allow.uri", () => {
  test.each([
    ["spiffe://shop/ns/a/sa/b", "spiffe://shop/ns/a/sa/b", true],
    ["spiffe://shop/ns/a/sa/b", "spiffe://shop/ns/a/sa/B", false],
    ["spiffe://shop/ns/a/sa/b", "spiffe://shop/ns/a/sa/b/c", false],
    ["spiffe://shop/*", "spiffe://shop/ns/a", true],
    ["spiffe://shop/*", "spiffe://shop.evil/ns/a", false],
    ["spiffe://shop/*", "spiffe://shop", false],
    ["spiffe://shop/*", "spiffe://shop/", false],
    ["spiffe://shop/ns/a/*", "spiffe://shop/ns/a/../b", false],
    ["spiffe://shop/ns/a/*", "spiffe://shop/ns/a/./b", false],
    ["spiffe://shop/ns/a/*", "spiffe://shop/ns/a//b", false],
    ["spiffe://shop/ns/a/*", "spiffe://shop/ns/a/%2e%2e/b", false],
    ["spiffe://shop/ns/a/*", "spiffe://shop/ns/ab/c", false],
  ])("%s and %s: %s", (pattern, uri, allowed) => {
    expect(allow.uri(pattern)(peer({ uris: ["https://x", uri] }))).toBe(allowed);
  });

  test.each(["*", "spiffe://*", "spiffe://*/a", "spiffe://a/*/b", "shop", "/*"])(
    "refuses the pattern %j",
    (pattern) => {
      expect(() => allow.uri(pattern)).toThrow(RotationError);
    },
  );
});

test("allow.spiffeId wants exactly one URI, as an X.509-SVID has", () => {
  const authorize = allow.spiffeId("spiffe://shop/ns/a/*");
  expect(authorize(peer({ uris: ["spiffe://shop/ns/a/sa/b"] }))).toBe(true);
  expect(authorize(peer({ uris: ["spiffe://shop/ns/a/sa/b", "https://x"] }))).toBe(false);
  expect(authorize(peer({}))).toBe(false);
  expect(() => allow.spiffeId("https://shop/a")).toThrow(RotationError);
  expect(() => allow.spiffeId("spiffe://SHOP/a")).toThrow(RotationError);
  for (const path of ["/a/", "/a//b", "/../a", "/.", "/a b", "/%61", "?q", "/a#f", "/*/a"]) {
    expect(() => allow.spiffeId(`spiffe://shop${path}`)).toThrow(RotationError);
  }
  for (const path of ["", "/a", "/a/b.c-d_e", "/*", "/a/*", "/..."]) {
    expect(() => allow.spiffeId(`spiffe://shop${path}`)).not.toThrow();
  }
});

test("allow.commonName looks at the common name only", () => {
  expect(allow.commonName("frontend")(peer({ commonName: "frontend" }))).toBe(true);
  expect(allow.commonName("frontend")(peer({ commonName: "Frontend" }))).toBe(false);
  expect(allow.commonName("frontend")(peer({ dnsNames: ["frontend"] }))).toBe(false);
});

test("allow.oneOf takes yes for an answer and nothing else", () => {
  const either = allow.oneOf(allow.dns("a"), allow.uri("spiffe://shop/b"));
  expect(either(peer({ dnsNames: ["a"] }))).toBe(true);
  expect(either(peer({ uris: ["spiffe://shop/b"] }))).toBe(true);
  expect(either(peer({ dnsNames: ["c"] }))).toBe(false);
  expect(allow.oneOf((async () => true) as never)(peer({}))).toBe(false);
  expect(allow.any()(peer({}))).toBe(true);
});

test.each(["dns", "uri", "spiffeId", "commonName", "oneOf"] as const)(
  "allow.%s() without a name is a mistake",
  (rule) => {
    expect(() => allow[rule]()).toThrow(/allow nobody/);
  },
);
