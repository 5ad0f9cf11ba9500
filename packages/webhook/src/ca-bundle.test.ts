import type { KubeObject } from "@newleaf/kube";
import { createRoot, createTrustBundle } from "@newleaf/x509";
import { expect, test } from "vitest";
import { type BundleTarget, bundledCertificates, bundlePatch, encodeBundle, hasBundle } from "./ca-bundle.ts";

const root = createRoot({ subject: "CN=shop", notAfter: new Date(Date.now() + 86_400_000) }).certificate;
const bundle = encodeBundle(createTrustBundle([root]));
const metadata = { name: "shop", resourceVersion: "7" };
const guard = { op: "test", path: "/metadata/resourceVersion", value: "7" };
const own = { service: { namespace: "shop", name: "webhook" } };
const foreign = { service: { namespace: "else", name: "webhook" }, caBundle: "AAAA" };

const target = (kind: BundleTarget["kind"], service?: BundleTarget["service"]): BundleTarget => ({
  kind,
  name: "shop",
  service,
});
const set = (path: string) => ({ op: "add", path, value: bundle });

test.each(["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] as const)("%s", (kind) => {
  const object = { metadata, webhooks: [{ clientConfig: own }, { clientConfig: foreign }] } as KubeObject;
  expect(hasBundle(target(kind), object, bundle)).toBe(false);
  expect(bundlePatch(target(kind), object, bundle)).toEqual([
    guard,
    set("/webhooks/0/clientConfig/caBundle"),
    set("/webhooks/1/clientConfig/caBundle"),
  ]);
  const ours = target(kind, { namespace: "shop", name: "webhook" });
  expect(bundlePatch(ours, object, bundle)).toEqual([guard, set("/webhooks/0/clientConfig/caBundle")]);
  const done = { webhooks: [{ clientConfig: { ...own, caBundle: bundle } }, { clientConfig: foreign }] };
  expect(hasBundle(ours, { metadata, ...done } as KubeObject, bundle)).toBe(true);
  expect(bundledCertificates(ours, { metadata, ...done } as KubeObject).map(({ sha256 }) => sha256)).toEqual([
    root.sha256,
  ]);
});

test("CustomResourceDefinition: its conversion webhook, if it has one", () => {
  const spec = { conversion: { strategy: "Webhook", webhook: { clientConfig: own } } };
  const crd = target("CustomResourceDefinition");
  expect(bundlePatch(crd, { metadata, spec } as KubeObject, bundle)).toEqual([
    guard,
    set("/spec/conversion/webhook/clientConfig/caBundle"),
  ]);
  expect(hasBundle(crd, { metadata, spec: { conversion: { strategy: "None" } } } as KubeObject, bundle)).toBe(
    true,
  );
});

test("APIService: not where it is local, or nobody verifies it", () => {
  const service = { namespace: "shop", name: "webhook" };
  const api = target("APIService");
  expect(bundlePatch(api, { metadata, spec: { service } } as KubeObject, bundle)).toEqual([
    guard,
    set("/spec/caBundle"),
  ]);
  expect(hasBundle(api, { metadata, spec: {} } as KubeObject, bundle)).toBe(true);
  const unverified = { metadata, spec: { service, insecureSkipTLSVerify: true } } as KubeObject;
  expect(hasBundle(api, unverified, bundle)).toBe(true);
});

test("a bundle that cannot be read holds nothing to keep", () => {
  const object = { metadata, webhooks: [{ clientConfig: { caBundle: "!!" } }, { clientConfig: foreign }] };
  expect(bundledCertificates(target("ValidatingWebhookConfiguration"), object as KubeObject)).toEqual([]);
});
