import type { KubeList, KubeObject } from "../kube-object.ts";

/** The objects in the octets of a list, in whatever form the server sends them. */
export interface ListReader<T extends KubeObject> {
  /** Calls `onItem` with each object that ends in this chunk. */
  push(chunk: Uint8Array, onItem: (object: T) => void): void;
  /** Once all is there; ERR_KUBE_PROTOCOL when it is not. */
  end(onItem: (object: T) => void): KubeList<T>["metadata"];
}

export interface ListReaderOptions {
  /** Of one object. */
  readonly apiVersion: string;
  readonly kind: string;
  /** The most bytes of one object. */
  readonly maxObjectBytes: number;
}
