import type { KubeObject } from "../kube-object.ts";
import type { WireStatus } from "./read-answer.ts";

/** Events in the octets of a watch, in whatever form the server sends them. */
export interface EventReader<T extends KubeObject> {
  /** Only once `next` had nothing more. */
  push(chunk: Uint8Array): void;
  /** Undefined when more octets are needed. ERR_KUBE_PROTOCOL for what is no event, or is beyond the limit. */
  next(): WireEvent<T> | undefined;
  /** What came last and had no end, if it is an event still; ERR_KUBE_UNREACHABLE for half of one. */
  end(): WireEvent<T> | undefined;
}

export type WireEvent<T extends KubeObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly object: KubeObject }
  | { readonly type: "ERROR"; readonly object: WireStatus };

export interface EventReaderOptions {
  readonly maxEventBytes: number;
  /** Method and URL, for messages. */
  readonly what: string;
}
