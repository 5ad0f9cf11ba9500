import type { ObjectMeta } from "kubernetes-types/meta/v1.js";

/** What every object of the API has. Times are strings, as on the wire. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

/** A list, or a page of one. */
export interface KubeList<T> {
  readonly items: T[];
  readonly metadata: {
    /** The state of the store that the list shows; where a watch goes on from. */
    readonly resourceVersion: string;
    /** Given to the next `list` for the page after this one; undefined on the last. */
    readonly continue: string | undefined;
    readonly remainingItemCount: number | undefined;
  };
}

/** A resource of the API: where it is, and the type of what is there. */
export interface ResourceType<T extends KubeObject> {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, as in the path. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Carries the type; never set. */
  readonly object?: T;
}

/** `namespace/name`, or `name` for what is in no namespace: the key of an object in a store. */
export function objectKey(object: KubeObject): string {
  const { namespace, name = "" } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}
