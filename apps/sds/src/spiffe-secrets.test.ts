import { parseX509Svid } from "@newleaf/spiffe";
import { createSpiffeAuthority } from "@newleaf/testing";
import { createTrustBundle, parseCrls } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createDistrust } from "./distrust.ts";
import type { SanMatcher } from "./san-matcher.ts";
import { contentVersion } from "./secret-content.ts";
import { isSpiffeContext, isSpiffeName, spiffeSecrets } from "./spiffe-secrets.ts";

const shop = createSpiffeAuthority({ trustDomain: "shop.example" });
const bank = createSpiffeAuthority({ trustDomain: "bank.example" });
const distrust = createDistrust(Date.now);
const sans = new Map<string, readonly SanMatcher[]>();
const svid = parseX509Svid(shop.issueX509Svid({ path: "/web" }));
const bundle = (...authorities: (typeof shop)[]) =>
  new Map(
    authorities.map(({ trustDomain, x509Authorities }) => [trustDomain, createTrustBundle(x509Authorities)]),
  );
const nobody = { kind: "anchors", anchors: distrust.anchors.anchors };

test("an empty bundle trusts nobody, and is not in the way of the others", () => {
  const bundles = bundle(shop).set("bank.example", createTrustBundle([]));
  const secrets = spiffeSecrets({ svids: [svid], bundles, crls: [] }, [], { distrust, sans });
  expect(secrets.get("spiffe://bank.example")).toMatchObject(nobody);
  expect(secrets.get("ALL")).toMatchObject({
    kind: "trust-domains",
    domains: new Map([["shop.example", shop.x509Authorities]]),
  });
  const alone = spiffeSecrets({ svids: [svid], bundles: new Map(), crls: [] }, [], { distrust, sans });
  expect([alone.get("ROOTCA"), alone.get("ALL")]).toMatchObject([nobody, nobody]);
});

test("matchers stay with their context, also when it trusts nobody", () => {
  const matcher: SanMatcher = { type: "uri", how: "exact", value: "spiffe://shop.example/frontend" };
  const matchers = new Map([["ROOTCA", [matcher]]]);
  const secrets = spiffeSecrets({ svids: [svid], bundles: bundle(shop, bank), crls: [] }, [], {
    distrust,
    sans: matchers,
  });
  expect([secrets.get("ROOTCA"), secrets.get("ALL")]).toMatchObject([{ sans: [matcher] }, { sans: [] }]);
  const gone = spiffeSecrets({ svids: [], bundles: new Map(), crls: [] }, secrets.keys(), {
    distrust,
    sans: matchers,
  });
  expect(gone.get("ROOTCA")).toMatchObject({ ...nobody, sans: [matcher] });
  expect(gone.get("default")).toBe(distrust.certificate);
  expect([...gone.keys()].sort()).toEqual([...secrets.keys()].sort());
});

test("versions are of the content: the same for the same, another for every part that counts", () => {
  const crls = parseCrls(shop.x509.crlPem());
  const of = (context: Partial<Parameters<typeof spiffeSecrets>[0]>, name: string, matchers = sans) =>
    contentVersion(
      spiffeSecrets({ svids: [svid], bundles: bundle(shop, bank), crls: [], ...context }, [], {
        distrust,
        sans: matchers,
      }).get(name)!,
    );
  expect(of({}, "ALL")).toBe(of({ bundles: bundle(bank, shop) }, "ALL"));
  const matchers = new Map([["ALL", [{ type: "dns", how: "exact", value: "a" } as const]]]);
  const renamed = new Map([...bundle(shop)].map(([, trust]) => ["other.example", trust]));
  const versions = [
    of({}, "ALL"),
    of({ bundles: bundle(shop) }, "ALL"),
    of({ bundles: renamed }, "ALL"),
    of({}, "ALL", matchers),
    of({ crls }, "ROOTCA"),
    of({}, "default"),
    of({ svids: [parseX509Svid(shop.issueX509Svid({ path: "/web" }))] }, "default"),
  ];
  expect(new Set(versions).size).toBe(versions.length);
});

test.each([
  ["default", true, false],
  ["ROOTCA", true, true],
  ["ALL", true, true],
  ["spiffe://shop.example", true, true],
  ["spiffe://shop.example/web", true, false],
  ["spiffe://shop.example/", false, false],
  ["web", false, false],
])("%s", (name, isName, isContext) => {
  expect([isSpiffeName(name), isSpiffeContext(name)]).toEqual([isName, isContext]);
});
