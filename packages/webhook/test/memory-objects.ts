import type { Answer, KubeObject, Patch, ResourceClient, ResourceType, WriteOptions } from "@newleaf/kube";
import { applyPatch } from "rfc6902";

/** Objects with versions, and the two writes that leaders use: what the plan is tested on, without time or transport. */
export interface MemoryObjects {
  get<T extends KubeObject>(kind: string, name: string): T | undefined;
  set(object: KubeObject): void;
  delete(kind: string, name: string): void;
  client<T extends KubeObject>(type: ResourceType<T>): ResourceClient<T>;
}

export function createMemoryObjects(): MemoryObjects {
  const objects = new Map<string, KubeObject>();
  let version = 0;
  const keyOf = (kind = "", name = ""): string => `${kind}/${name}`;
  const store = (object: KubeObject): KubeObject => {
    version += 1;
    const kept = structuredClone(object);
    kept.metadata = { ...kept.metadata, resourceVersion: String(version) };
    objects.set(keyOf(kept.kind, kept.metadata.name), kept);
    return kept;
  };

  const client = <T extends KubeObject>(type: ResourceType<T>): ResourceClient<T> => {
    const refusal = (code: number, reason: string): Answer<T> => ({
      ok: false,
      status: {
        code,
        reason,
        message: reason,
        retryAfterMs: undefined,
        details: undefined,
        requestId: undefined,
      },
    });
    const partial: Partial<ResourceClient<T>> = {
      type,
      namespace: type.namespaced ? "shop" : undefined,
      async create(object: T, _options?: WriteOptions): Promise<Answer<T>> {
        if (objects.has(keyOf(type.kind, object.metadata?.name))) return refusal(409, "AlreadyExists");
        return { ok: true, value: store({ ...object, kind: type.kind }) as T };
      },
      async patch(name: string, patch: Patch): Promise<Answer<T>> {
        const before = objects.get(keyOf(type.kind, name));
        if (!before) return refusal(404, "NotFound");
        const after = structuredClone(before);
        if (patch.type === "json") {
          const failures = applyPatch(after, structuredClone([...patch.body]) as never);
          if (failures.some((failure) => failure !== null)) return refusal(422, "Invalid");
        } else {
          const { metadata } = patch.body as KubeObject;
          if (metadata?.resourceVersion !== before.metadata?.resourceVersion) return refusal(409, "Conflict");
          merge(after as Record<string, unknown>, patch.body as Record<string, unknown>);
        }
        return { ok: true, value: store(after) as T };
      },
    };
    return partial as ResourceClient<T>;
  };

  return {
    get: <T extends KubeObject>(kind: string, name: string) =>
      objects.get(keyOf(kind, name)) as T | undefined,
    set: (object) => void store(object),
    delete: (kind, name) => void objects.delete(keyOf(kind, name)),
    client,
  };
}

/** RFC 7396. */
function merge(target: Record<string, unknown>, patch: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete target[key];
    else if (typeof value === "object" && !Array.isArray(value)) {
      const inner = (target[key] ?? {}) as Record<string, unknown>;
      merge(inner, value as Record<string, unknown>);
      target[key] = inner;
    } else target[key] = value;
  }
}
