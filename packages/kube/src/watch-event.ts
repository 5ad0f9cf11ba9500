import type { KubeObject } from "./kube-object.ts";
import type { StatusFailure } from "./status.ts";

export type WatchEvent<T extends KubeObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | {
      readonly type: "BOOKMARK";
      readonly resourceVersion: string;
      /** Annotated `k8s.io/initial-events-end=true`: what existed at the start has been sent. */
      readonly initialEventsEnd: boolean;
    }
  | { readonly type: "ERROR"; readonly status: StatusFailure };

/** Events in order. `return()`, or the signal, ends the request; a reset or malformed line rejects with a KubeError. */
export type WatchStream<T extends KubeObject> = AsyncIterableIterator<WatchEvent<T>>;
