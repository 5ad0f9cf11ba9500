import { parseFieldSelector } from "./field-selector.ts";
import type { KubeObject } from "./kube-object.ts";
import { parseLabelSelector } from "./label-selector.ts";
import type { ResourceRow } from "./resource-table.ts";

/** Which objects a list or watch is about. */
export interface Selection {
  /** Undefined: in all namespaces, or of a resource that is in none. */
  readonly namespace?: string | undefined;
  /** Of the object as stored; undefined when all match. */
  readonly matches?: ((object: KubeObject) => boolean) | undefined;
}

/** Throws BadRequest for selectors that are none. */
export function parseSelection(
  row: ResourceRow,
  of: {
    readonly namespace?: string | undefined;
    readonly labelSelector?: string | undefined;
    readonly fieldSelector?: string | undefined;
  },
): Selection {
  const labels = of.labelSelector ? parseLabelSelector(of.labelSelector) : undefined;
  const fields = of.fieldSelector ? parseFieldSelector(row, of.fieldSelector) : undefined;
  if (!labels && !fields) return { namespace: of.namespace };
  return {
    namespace: of.namespace,
    matches: (object) => labels?.(object.metadata.labels ?? {}) !== false && fields?.(object) !== false,
  };
}
