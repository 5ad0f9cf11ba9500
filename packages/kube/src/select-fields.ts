import { messageOf } from "./internal/api-messages.ts";
import { createShape, type SelectedParts, type Shape } from "./internal/object-shape.ts";
import type { KubeObject, ResourceType } from "./kube-object.ts";

/**
 * What to keep of each object: `true` for all of a field, or of its members; an object for some. Of a map, the keys
 * named. Name, namespace, uid and resourceVersion always are.
 */
export type FieldSelection<T> =
  | true
  | (NonNullable<T> extends readonly (infer Member)[]
      ? FieldSelection<Member>
      : NonNullable<T> extends object
        ? { readonly [K in keyof NonNullable<T>]?: FieldSelection<NonNullable<T>[K]> }
        : never);

/** `T` with the selected fields alone. */
export type Selected<T, S> = S extends true
  ? T
  : T extends readonly (infer Member)[]
    ? Selected<Member, S>[]
    : T extends object
      ? string extends keyof T
        ? { [K in keyof S]?: T[keyof T] }
        : { [K in keyof T as K extends keyof S ? K : never]: Selected<T[K], S[K & keyof S]> }
      : T;

/** A resource of which a part is read, and nothing written: see `selectFields`. */
export interface SelectedResource<T extends KubeObject> {
  readonly type: ResourceType<KubeObject>;
  /** As it was compiled. */
  readonly shape: Shape;
  /** Carries the type; never set. */
  readonly object?: T;
}

/**
 * The resource, read in part: `client.resource(selectFields(resources.deployments, { spec: { replicas: true } }))`.
 * What was not selected is neither decoded nor kept, and is not in the type. Where the fields are known in protobuf
 * (of Deployments, Leases, ConfigMaps and Secrets, as src/internal/api-messages.ts has them) that is asked for, which
 * is cheaper for both sides; the objects are the same as from JSON. What JSON has as null, or as a zero that the API
 * leaves out, is absent.
 */
export function selectFields<T extends KubeObject, const S extends FieldSelection<T> & object>(
  type: ResourceType<T>,
  selection: S & Known<T, S>,
): SelectedResource<Selected<T, WithIdentity<S>> & KubeObject> {
  const { metadata, ...rest } = selection as { readonly [name: string]: SelectedParts | undefined };
  const parts: SelectedParts = {
    ...rest,
    metadata: metadata === true ? true : { ...metadata, ...IDENTITY },
  };
  return Object.freeze({ type, shape: createShape(messageOf(type), parts) });
}

const IDENTITY = { name: true, namespace: true, uid: true, resourceVersion: true } as const;

type WithIdentity<S> = Omit<S, "metadata"> & {
  readonly apiVersion: true;
  readonly kind: true;
  readonly metadata: S extends { readonly metadata: infer M } ? M & typeof IDENTITY : typeof IDENTITY;
};

/** Refuses the names that `T` does not have, which a type parameter alone would let pass. */
type Known<T, S> = S extends true
  ? true
  : NonNullable<T> extends readonly (infer Member)[]
    ? Known<Member, S>
    : { readonly [K in keyof S]: K extends keyof NonNullable<T> ? Known<NonNullable<T>[K], S[K]> : never };
