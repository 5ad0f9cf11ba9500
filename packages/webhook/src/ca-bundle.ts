import { Buffer } from "node:buffer";
import {
  type ApiService,
  type JsonPatch,
  type JsonPatchOperation,
  type KubeObject,
  type ResourceType,
  resources,
} from "@newleaf/kube";
import { type Certificate, encodeCertificates, parseCertificates, type TrustBundle } from "@newleaf/x509";

/** An object that tells API servers which CA a webhook's certificate comes from. */
export interface BundleTarget {
  readonly kind:
    | "ValidatingWebhookConfiguration"
    | "MutatingWebhookConfiguration"
    | "CustomResourceDefinition"
    | "APIService";
  readonly name: string;
  /** Only entries that call this Service; all entries without it. */
  readonly service?: { readonly namespace: string; readonly name: string } | undefined;
}

export function targetType({ kind }: BundleTarget): ResourceType<KubeObject> {
  switch (kind) {
    case "ValidatingWebhookConfiguration":
      return resources.validatingWebhookConfigurations;
    case "MutatingWebhookConfiguration":
      return resources.mutatingWebhookConfigurations;
    case "CustomResourceDefinition":
      return resources.customResourceDefinitions;
    case "APIService":
      return resources.apiServices;
  }
}

/** `kind/name`, for logs and as a key. */
export function targetKey({ kind, name }: BundleTarget): string {
  return `${kind}/${name}`;
}

/** What goes into caBundle: base64 of PEM. */
export function encodeBundle(trust: TrustBundle): string {
  return Buffer.from(encodeCertificates(trust.certificates)).toString("base64");
}

/** Whether every entry of the object that is ours has exactly this bundle. */
export function hasBundle(target: BundleTarget, object: KubeObject, bundle: string): boolean {
  return entriesOf(target, object).every(({ caBundle }) => caBundle === bundle);
}

/** Puts the bundle into every entry, if the object is still this version of itself. */
export function bundlePatch(target: BundleTarget, object: KubeObject, bundle: string): JsonPatch {
  const version: JsonPatchOperation = {
    op: "test",
    path: "/metadata/resourceVersion",
    value: object.metadata?.resourceVersion,
  };
  const open = entriesOf(target, object).filter(({ caBundle }) => caBundle !== bundle);
  return [version, ...open.map(({ path }): JsonPatchOperation => ({ op: "add", path, value: bundle }))];
}

/** The certificates in the entries, as far as they can be read. */
export function bundledCertificates(target: BundleTarget, object: KubeObject): readonly Certificate[] {
  return entriesOf(target, object).flatMap(({ caBundle = "" }) => {
    try {
      return parseCertificates(Buffer.from(caBundle, "base64").toString("latin1"));
    } catch {
      return [];
    }
  });
}

interface Entry {
  /** JSON pointer of the caBundle. */
  readonly path: string;
  readonly caBundle: string | undefined;
}

interface ClientConfig {
  readonly caBundle?: string;
  readonly service?: ServiceReference;
}

interface ServiceReference {
  readonly namespace?: string;
  readonly name?: string;
}

function entriesOf(target: BundleTarget, object: KubeObject): readonly Entry[] {
  return clientConfigsOf(target.kind, object).flatMap(({ path, config }) =>
    isCalled(config, target.service) ? [{ path: `${path}/caBundle`, caBundle: config.caBundle }] : [],
  );
}

function clientConfigsOf(
  kind: BundleTarget["kind"],
  object: KubeObject,
): readonly { readonly path: string; readonly config: ClientConfig }[] {
  switch (kind) {
    case "ValidatingWebhookConfiguration":
    case "MutatingWebhookConfiguration": {
      const { webhooks = [] } = object as { webhooks?: readonly { clientConfig?: ClientConfig }[] };
      return webhooks.map(({ clientConfig = {} }, index) => ({
        path: `/webhooks/${index}/clientConfig`,
        config: clientConfig,
      }));
    }
    case "CustomResourceDefinition": {
      const { spec } = object as {
        spec?: { conversion?: { webhook?: { clientConfig?: ClientConfig } } };
      };
      const config = spec?.conversion?.webhook?.clientConfig;
      return config ? [{ path: "/spec/conversion/webhook/clientConfig", config }] : [];
    }
    case "APIService": {
      const { spec } = object as ApiService;
      // A local one has no service, and one that is not verified must have no bundle.
      return spec?.service && !spec.insecureSkipTLSVerify ? [{ path: "/spec", config: spec }] : [];
    }
  }
}

function isCalled({ service }: ClientConfig, wanted: BundleTarget["service"]): boolean {
  return !wanted || (service?.name === wanted.name && service.namespace === wanted.namespace);
}
