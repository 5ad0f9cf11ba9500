import type { Any } from "@bufbuild/protobuf/wkt";
import { encodeSecret } from "./encode-secret.ts";
import { contentVersion, type SecretContent } from "./secret-content.ts";

/** A secret as it is sent to everyone who asks for it. */
export interface PublishedSecret {
  readonly name: string;
  readonly kind: SecretContent["kind"];
  /** A hash of the content: the same in every process. */
  readonly version: string;
  /** The encoded secret. Shared: do not write to it. */
  readonly resource: Any;
}

/**
 * The secrets as they stand, by name. Encodes each once for each change, however many ask for it. Names once published
 * stay: taking one away means to publish something else under it.
 */
export interface SecretStore {
  /** Publishes what differs and says which names that were. */
  publish(contents: ReadonlyMap<string, SecretContent>): ReadonlySet<string>;
  get(name: string): PublishedSecret | undefined;
  names(): readonly string[];
  /** Secrets encoded so far. */
  readonly encodings: number;
  /** Called after each `publish` that changed something, with the names. */
  onChange(listener: (names: ReadonlySet<string>) => void): Disposable;
}

export function createSecretStore(): SecretStore {
  const secrets = new Map<string, PublishedSecret>();
  const listeners = new Set<(names: ReadonlySet<string>) => void>();
  let encodings = 0;
  return {
    publish(contents) {
      const changed = new Set<string>();
      for (const [name, content] of contents) {
        const version = contentVersion(content);
        if (secrets.get(name)?.version === version) continue;
        encodings += 1;
        const resource = encodeSecret(name, content);
        secrets.set(name, Object.freeze({ name, kind: content.kind, version, resource }));
        changed.add(name);
      }
      if (changed.size > 0) for (const listener of listeners) listener(changed);
      return changed;
    },
    get: (name) => secrets.get(name),
    names: () => [...secrets.keys()],
    get encodings() {
      return encodings;
    },
    onChange(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}
