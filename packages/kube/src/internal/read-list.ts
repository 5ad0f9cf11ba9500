import { KubeError } from "../error.ts";
import type { KubeList, KubeObject } from "../kube-object.ts";
import type { WholeAnswer } from "./whole-answer.ts";

/** A list with `apiVersion` and `kind` put back on its items, where the API leaves them out. */
export function readList<T extends KubeObject>(
  answer: WholeAnswer,
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
): KubeList<T> {
  const { items, metadata = {} } = answer.json() as WireList<T>;
  // Go writes a list without items as null.
  if (items !== null && !Array.isArray(items)) {
    throw new KubeError("ERR_KUBE_PROTOCOL", `${answer.what}: the answer is no list`);
  }
  for (const item of items ?? []) {
    item.apiVersion ??= apiVersion;
    item.kind ??= kind;
  }
  return {
    items: items ?? [],
    metadata: {
      resourceVersion: metadata.resourceVersion ?? "",
      continue: metadata.continue || undefined,
      remainingItemCount: metadata.remainingItemCount,
    },
  };
}

interface WireList<T> {
  readonly items?: T[] | null;
  readonly metadata?: {
    readonly resourceVersion?: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}
