import {
  createManualClock,
  createSpiffeAuthority,
  createTestAuthority,
  type SpiffeAuthority,
} from "@newleaf/testing";
import { createTrustBundle, EKU } from "@newleaf/x509";
import { describe, expect, test } from "vitest";
import { parseSpiffeBundle } from "../src/bundle.ts";
import type { BundleEndpointProfile } from "../src/bundle-endpoint.ts";
import { type WatchFederatedBundleOptions, watchFederatedBundle } from "../src/federation.ts";
import { startBundleEndpoint } from "./bundle-endpoint-server.ts";

const web = createTestAuthority({ name: "web" });
const foreign = createSpiffeAuthority({ trustDomain: "foreign.example" });
const publisher = createSpiffeAuthority({ trustDomain: "publisher.example" });
const endpointId = "spiffe://foreign.example/bundle-endpoint";

const known = (authority: SpiffeAuthority) =>
  parseSpiffeBundle(authority.trustDomain, authority.bundleDocument());
const svid = (authority: SpiffeAuthority, options = {}) =>
  authority.issueX509Svid({ spiffeId: endpointId, ...options }).identity;
const roots = (authority = web): BundleEndpointProfile => ({
  type: "https_web",
  roots: authority.certificates,
});
const selfServing = {
  trustDomain: "foreign.example",
  profile: { type: "https_spiffe", endpointId },
  bundle: known(foreign),
} as const;

describe("Federation 5.2.1.4: https_web verifies the host by the web's authorities", () => {
  const watch = (url: string, profile: BundleEndpointProfile) =>
    watchFederatedBundle({ trustDomain: "foreign.example", url, profile });

  test("and takes the document for the configured trust domain", async () => {
    await using server = await startBundleEndpoint(web.issue(), foreign.bundleDocument({ sequence: 7 }));
    await using source = await watch(server.url, roots());
    expect(source.current()).toMatchObject({ trustDomain: source.trustDomain, sequence: 7n });
    expect(source.current().x509Authorities.certificates).toEqual(foreign.x509Authorities);
    expect(`${source.trustDomain}`).toBe("foreign.example");
    expect(source.status()).toMatchObject({ polls: 1, failures: 0, failure: undefined });
  });

  test("not by authorities it was not given, not for another host, and sends nothing then", async () => {
    const other = web.issue({ dnsNames: ["other.example"], ips: [] });
    await using server = await startBundleEndpoint(web.issue(), foreign.bundleDocument());
    const refused = async (profile: BundleEndpointProfile) =>
      await expect(watch(server.url, profile)).rejects.toMatchObject({ code: "ERR_SPIFFE_FEDERATION" });
    await refused("https_web");
    await refused(roots(createTestAuthority()));
    server.present(other);
    await refused(roots());
    server.present(web.issue({ defect: "expired" }));
    await refused(roots());
    expect(server.requests).toEqual([]);
  });
});

describe("Federation 5.2.2.4: https_spiffe accepts the endpoint's own SPIFFE ID and no other", () => {
  const watch = (url: string, more: Partial<WatchFederatedBundleOptions> = {}) =>
    watchFederatedBundle({ ...selfServing, url, ...more });

  test("by the bundle known so far", async () => {
    await using server = await startBundleEndpoint(svid(foreign), foreign.bundleDocument({ sequence: 2 }));
    await using source = await watch(server.url);
    expect(source.current().sequence).toBe(2n);
  });

  test.each([
    ["another workload of the trust domain", svid(foreign, { spiffeId: "spiffe://foreign.example/other" })],
    ["the same ID by another authority", svid(publisher)],
    ["an expired SVID", svid(foreign, { issue: { defect: "expired" } })],
    ["a signing certificate", svid(foreign, { issue: { defect: "ca_as_leaf" } })],
    ["an SVID for clients", svid(foreign, { issue: { extra: { extendedKeyUsage: [EKU.clientAuth] } } })],
    ["two names", svid(foreign, { issue: { extra: { uris: [endpointId, "spiffe://foreign.example/b"] } } })],
    ["a certificate of the web", web.issue()],
  ])("not %s, to whom nothing is sent", async (_, identity) => {
    await using server = await startBundleEndpoint(identity, foreign.bundleDocument({ sequence: 2 }));
    await using source = await watch(server.url);
    expect(source.status().failure).toMatchObject({ code: "ERR_SPIFFE_FEDERATION" });
    expect(source.current()).toBe(selfServing.bundle);
    expect(server.requests).toEqual([]);
  });

  test("an endpoint that serves itself may roll over: each connection is verified by what it served last", async () => {
    const rolling = createSpiffeAuthority({ trustDomain: "foreign.example", intermediate: true });
    const bundle = known(rolling);
    const before = svid(rolling);
    rolling.prepare();
    await using server = await startBundleEndpoint(before, rolling.bundleDocument({ sequence: 2 }));
    await using source = await watch(server.url, { bundle });
    rolling.activate();
    rolling.retire();
    server.present(svid(rolling));
    server.serve(rolling.bundleDocument({ sequence: 3 }));
    await source.refresh();
    expect(source.status().failure).toBeUndefined();
    expect(source.current().sequence).toBe(3n);
    expect(source.current().x509Authorities.certificates).toHaveLength(1);
    // The old authority is gone for good.
    server.present(before);
    await source.refresh();
    expect(source.status().failure?.code).toBe("ERR_SPIFFE_FEDERATION");
  });

  test("an endpoint of another trust domain is verified by that domain's bundle, as it is known then", async () => {
    const id = "spiffe://publisher.example/bundles";
    const bundles = new Map([["publisher.example", createTrustBundle(publisher.x509Authorities)]]);
    const profile = { type: "https_spiffe", endpointId: id, bundles: () => bundles } as const;
    const server = await startBundleEndpoint(svid(publisher, { spiffeId: id }), foreign.bundleDocument());
    await using _ = server;
    await using source = await watchFederatedBundle({
      trustDomain: "foreign.example",
      url: server.url,
      profile,
      bundle: known(foreign),
    });
    expect(source.status()).toMatchObject({ failures: 0 });
    expect(source.current().x509Authorities.certificates).toEqual(foreign.x509Authorities);
    bundles.clear();
    await source.refresh();
    expect(source.status().failure?.message).toContain("no bundle of the trust domain publisher.example");
    expect(source.current().x509Authorities.certificates).toEqual(foreign.x509Authorities);
  });

  test("Federation 4.2: a foreign document cannot make its authorities vouch for the endpoint's domain", async () => {
    const id = "spiffe://publisher.example/bundles";
    const profile = {
      type: "https_spiffe",
      endpointId: id,
      bundles: () => new Map([["publisher.example", createTrustBundle(publisher.x509Authorities)]]),
    } as const;
    const forged = foreign.issueX509Svid({ spiffeId: id }).identity;
    await using server = await startBundleEndpoint(forged, foreign.bundleDocument());
    const options = { trustDomain: "foreign.example", url: server.url, profile, bundle: known(foreign) };
    await using source = await watchFederatedBundle(options);
    expect(source.status().failure?.code).toBe("ERR_SPIFFE_FEDERATION");
  });

  test("the clock decides what is valid", async () => {
    const clock = createManualClock(Date.now());
    await using server = await startBundleEndpoint(svid(foreign), foreign.bundleDocument());
    await using source = await watch(server.url, { clock });
    expect(source.status().failure).toBeUndefined();
    clock.step(2 * 3_600_000);
    await source.refresh();
    expect(source.status().failure?.message).toContain("expired");
  });
});

describe("parameters", () => {
  const options = { trustDomain: "foreign.example", profile: "https_web", url: "https://x/" } as const;
  const rejects = async (more: Partial<WatchFederatedBundleOptions>, code = "ERR_SPIFFE_OPTIONS") =>
    await expect(watchFederatedBundle({ ...options, ...more })).rejects.toMatchObject({ code });

  test("Federation 5.2.1.1, 5.2.2.1: the URL is https and has no userinfo", async () => {
    const spiffe = { profile: selfServing.profile, bundle: selfServing.bundle };
    for (const url of [
      "http://x/",
      "https://user@x/",
      "https://user:password@x/",
      "x",
      "",
      "file:///x",
      "https://",
    ]) {
      await rejects({ url });
      await rejects({ url, ...spiffe });
    }
  });
  test("Federation 5.2.2.2: https_spiffe needs the endpoint's ID and a way to verify it", async () => {
    await rejects({ profile: { type: "https_spiffe", endpointId } });
    await rejects({ profile: { type: "https_spiffe", endpointId: "spiffe://publisher.example/x" } });
    await rejects({
      profile: { type: "https_spiffe", endpointId: "spiffe://foreign.example" },
      bundle: known(foreign),
    });
    await rejects({ profile: { type: "https_spiffe", endpointId: "https://x/" } }, "ERR_SPIFFE_ID");
  });
  test("no roots at all, or another domain's bundle, is a mistake", async () => {
    await rejects({ profile: { type: "https_web", roots: [] } });
    await rejects({ bundle: known(publisher) });
    await rejects({ trustDomain: "Foreign.example" }, "ERR_SPIFFE_ID");
  });
});
