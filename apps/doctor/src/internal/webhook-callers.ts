import { Buffer } from "node:buffer";
import type { KubeObject } from "@newleaf/kube";
import type { BundleTarget } from "@newleaf/webhook";
import type { CallerFacts } from "../webhook-facts.ts";
import { certificatesIn, otherWriters, sha256Hex } from "./webhook-objects.ts";

export interface CallersOf {
  /** Of the webhook. */
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  /** Whether a certificate is an authority of this webhook. */
  isOwn(fingerprint: string): boolean;
}

/**
 * The entries of an object that call the Service, or that have been given one of our authorities; those of an object of
 * the webhook's own name also where they call a URL.
 */
export function callersIn(
  kind: BundleTarget["kind"],
  object: KubeObject,
  of: CallersOf,
): readonly CallerFacts[] {
  return entriesOf(kind, object).flatMap(({ name, config, failurePolicy }) => {
    const { service, caBundle = "" } = config;
    const pem = Buffer.from(caBundle, "base64").toString("latin1");
    const bundle = certificatesIn(pem);
    const named = service
      ? service.name === of.service && service.namespace === of.namespace
      : object.metadata?.name === of.name;
    if (!named && !bundle.some(({ sha256 }) => of.isOwn(sha256))) return [];
    return [
      {
        kind,
        object: object.metadata?.name ?? "",
        entry: name,
        host: service?.name === undefined ? undefined : `${service.name}.${service.namespace}.svc`,
        failurePolicy,
        bundleHash: pem === "" ? undefined : sha256Hex(pem),
        bundle,
        otherWriters: otherWriters(object, "caBundle"),
        injector: injectorOf(object),
      },
    ];
  });
}

/** Of cert-manager's cainjector and of OpenShift's service CA, which put their own CA in place of ours. */
const INJECTORS = [
  "cert-manager.io/inject-ca-from",
  "cert-manager.io/inject-ca-from-secret",
  "cert-manager.io/inject-apiserver-ca",
  "service.beta.openshift.io/inject-cabundle",
] as const;

function injectorOf({ metadata }: KubeObject): string | undefined {
  return INJECTORS.find((name) => metadata?.annotations?.[name] !== undefined);
}

interface ClientConfig {
  readonly caBundle?: string;
  readonly service?: { readonly namespace?: string; readonly name?: string };
}

interface Entry {
  readonly name: string | undefined;
  readonly config: ClientConfig;
  readonly failurePolicy: CallerFacts["failurePolicy"];
}

interface WebhookEntry {
  readonly name?: string;
  readonly failurePolicy?: string;
  readonly clientConfig?: ClientConfig;
}

/** Both kinds of configurations, conversions of CRDs, and APIServices, each in its own shape. */
function entriesOf(kind: BundleTarget["kind"], object: KubeObject): readonly Entry[] {
  switch (kind) {
    case "ValidatingWebhookConfiguration":
    case "MutatingWebhookConfiguration": {
      const { webhooks = [] } = object as { webhooks?: readonly WebhookEntry[] };
      return webhooks.map(({ name, clientConfig = {}, failurePolicy }) => ({
        name,
        config: clientConfig,
        failurePolicy: failurePolicy === "Ignore" ? "Ignore" : "Fail",
      }));
    }
    case "CustomResourceDefinition": {
      const { spec } = object as { spec?: { conversion?: { webhook?: { clientConfig?: ClientConfig } } } };
      const config = spec?.conversion?.webhook?.clientConfig;
      return config ? [{ name: undefined, config, failurePolicy: undefined }] : [];
    }
    case "APIService": {
      const { spec } = object as { spec?: ClientConfig & { insecureSkipTLSVerify?: boolean } };
      // One that is not verified must have no bundle.
      if (!spec?.service || spec.insecureSkipTLSVerify) return [];
      return [{ name: undefined, config: spec, failurePolicy: undefined }];
    }
  }
}
