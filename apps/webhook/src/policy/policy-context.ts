import { type Fields, fieldsOf, listOf, textOf } from "./fields.ts";
import { groupOf, type ManifestObject, objectsOf } from "./manifest-objects.ts";
import { roleOfFileName } from "./tls-file-name.ts";

/** What is known beside the object itself: the Secrets and ConfigMaps that other objects hold, make or speak of. */
export interface PolicyContext {
  /** The keys of a Secret for TLS; undefined for another, or one of which nothing is known. */
  tlsSecret(namespace: string | undefined, name: string): KnownKeys | undefined;
  /** The keys of a ConfigMap that holds certificates of authorities. */
  caConfigMap(namespace: string | undefined, name: string): KnownKeys | undefined;
}

/** Keys that are surely there. More may be. */
export type KnownKeys = readonly string[];

/** Knows nothing: what an admission webhook has beside the object it is asked about. */
export const emptyContext: PolicyContext = Object.freeze({
  tlsSecret: () => undefined,
  caConfigMap: () => undefined,
});

/**
 * Gathers from documents that belong together (the files of one `newleaf lint`): Secrets and ConfigMaps by their keys,
 * what Certificates, Ingresses and trust-manager's Bundles name. An object without a namespace is in any.
 */
export function gatherContext(documents: Iterable<unknown>): PolicyContext {
  const secrets = new Named();
  const configMaps = new Named();
  for (const document of documents) {
    for (const object of objectsOf(document)) gather(object, secrets, configMaps);
  }
  return {
    tlsSecret: (namespace, name) => secrets.get(namespace, name),
    caConfigMap: (namespace, name) => configMaps.get(namespace, name),
  };
}

function gather({ name, fields }: ManifestObject, secrets: Named, configMaps: Named): void {
  const spec = fieldsOf(fields.spec);
  switch (`${groupOf(name)}/${name.kind}`) {
    case "/Secret": {
      const keys = keysOf(fields, "data", "stringData");
      const isTls = fields.type === "kubernetes.io/tls" || keys.some((key) => isTlsKey(key, name.name));
      if (isTls) secrets.add(name.namespace, name.name, keys);
      return;
    }
    case "/ConfigMap": {
      const keys = keysOf(fields, "data", "binaryData");
      if (keys.some((key) => isCaKey(key))) configMaps.add(name.namespace, name.name, keys);
      return;
    }
    case "cert-manager.io/Certificate":
      secrets.add(name.namespace, textOf(spec.secretName), ["tls.crt", "tls.key", "ca.crt"]);
      return;
    case "networking.k8s.io/Ingress":
      for (const tls of listOf(spec.tls)) {
        secrets.add(name.namespace, textOf(fieldsOf(tls).secretName), ["tls.crt", "tls.key"]);
      }
      return;
    case "trust.cert-manager.io/Bundle": {
      const target = fieldsOf(spec.target);
      const key = (kind: string) => textOf(fieldsOf(target[kind]).key);
      configMaps.add(undefined, key("configMap") && name.name, [key("configMap") ?? ""]);
      secrets.add(undefined, key("secret") && name.name, [key("secret") ?? ""]);
    }
  }
}

function keysOf(object: Fields, ...fields: readonly string[]): KnownKeys {
  return fields.flatMap((field) => Object.keys(fieldsOf(object[field])));
}

function isTlsKey(key: string, secretName: string): boolean {
  const role = roleOfFileName(key, secretName);
  return role === "certificate" || role === "keystore" || role === "ca";
}

/** A certificate in a ConfigMap is there to be trusted, whatever it is called. */
function isCaKey(key: string): boolean {
  const role = roleOfFileName(key);
  return role === "certificate" || role === "ca";
}

class Named {
  readonly #byName = new Map<
    string,
    { readonly namespace: string | undefined; readonly keys: KnownKeys }[]
  >();

  add(namespace: string | undefined, name: string | undefined, keys: KnownKeys): void {
    if (name === undefined || name === "") return;
    const list = this.#byName.get(name) ?? [];
    this.#byName.set(name, [...list, { namespace, keys }]);
  }

  get(namespace: string | undefined, name: string): KnownKeys | undefined {
    const found = this.#byName
      .get(name)
      ?.filter(
        (entry) => entry.namespace === undefined || namespace === undefined || entry.namespace === namespace,
      );
    return found === undefined || found.length === 0 ? undefined : found.flatMap(({ keys }) => keys);
  }
}
