import type { JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import type { WatchItem } from "./kube-watch.ts";
import { apiVersionOf } from "./resource-name.ts";
import { type ResourceRow, toServed } from "./resource-table.ts";
import { StatusError } from "./status-error.ts";
import { tableOf } from "./table.ts";

/** How objects are shown to a client: as they are, as a Table for people, or their metadata alone. */
export interface Representation {
  object(object: KubeObject): JsonObject;
  list(items: readonly KubeObject[], metadata: JsonObject): JsonObject;
  /** One line of a watch; DELETED and ERROR included. */
  line(item: WatchItem): Uint8Array;
}

export interface RepresentationOptions {
  readonly row: ResourceRow;
  readonly accept: string | undefined;
  readonly now: () => number;
  /** What a Table's rows hold beside their cells (`includeObject`). */
  readonly includeObject: "None" | "Metadata" | "Object";
}

/** Chooses by the Accept header; throws NotAcceptable when nothing of it can be given. */
export function representationFor(options: RepresentationOptions): Representation {
  const accept = options.accept ?? "";
  for (const range of accept === "" ? ["*/*"] : accept.split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    if (!["application/json", "*/*", "application/*", ""].includes(type)) continue;
    const as = parameters.find((parameter) => parameter.startsWith("as="))?.slice(3);
    const version = parameters.find((parameter) => parameter.startsWith("v="))?.slice(2);
    if (as === undefined) return plain(options.row);
    if (version !== undefined && version !== "v1") continue;
    if (as === "Table") return table(options);
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList")
      return metadataOnly(options.row);
  }
  throw new StatusError(
    406,
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/json;as=Table, application/json;as=PartialObjectMetadata",
  );
}

function plain(row: ResourceRow): Representation {
  return representation(row, {
    object: (object) => ordered(toServed(row, object)),
    list: (items, metadata) => ({
      kind: `${row.kind}List`,
      apiVersion: apiVersionOf(row),
      metadata,
      // Items of built-in kinds do not repeat what they are.
      items: items.map((item) => (row.custom ? ordered(toServed(row, item)) : untyped(toServed(row, item)))),
    }),
    shared: row.conversion === undefined,
  });
}

function table({ row, now, includeObject }: RepresentationOptions): Representation {
  const show = (items: readonly KubeObject[], metadata: JsonObject): JsonObject =>
    tableOf(
      row,
      items.map((item) => toServed(row, item)),
      { metadata, now: now(), includeObject },
    );
  return representation(row, {
    object: (object) => show([object], { resourceVersion: object.metadata.resourceVersion }),
    list: show,
    shared: false,
  });
}

function metadataOnly(row: ResourceRow): Representation {
  const partial = ({ metadata }: KubeObject): JsonObject => ({
    kind: "PartialObjectMetadata",
    apiVersion: "meta.k8s.io/v1",
    metadata,
  });
  return representation(row, {
    object: partial,
    list: (items, metadata) => ({
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata,
      items: items.map(partial),
    }),
    shared: false,
  });
}

/** Lines of live events, which all plain watches of a resource share. */
const sharedJson = new WeakMap<object, string>();

function representation(
  row: ResourceRow,
  parts: Pick<Representation, "object" | "list"> & { readonly shared: boolean },
): Representation {
  const json = (item: Extract<WatchItem, { readonly event: unknown }>): string => {
    const { event, object } = item;
    if (!parts.shared || event?.object !== object) return JSON.stringify(parts.object(object));
    const known = sharedJson.get(event);
    if (known !== undefined && object.apiVersion === apiVersionOf(row)) return known;
    const made = JSON.stringify(parts.object(object));
    if (object.apiVersion === apiVersionOf(row)) sharedJson.set(event, made);
    return made;
  };
  return {
    object: parts.object,
    list: parts.list,
    line: (item) => {
      switch (item.type) {
        case "ERROR":
          return lineOf("ERROR", JSON.stringify(item.error.body));
        case "BOOKMARK":
          return lineOf("BOOKMARK", JSON.stringify(bookmarkObject(row, item)));
        default:
          return lineOf(item.type, json(item));
      }
    },
  };
}

function bookmarkObject(
  row: ResourceRow,
  item: Extract<WatchItem, { readonly type: "BOOKMARK" }>,
): JsonObject {
  return {
    kind: row.kind,
    apiVersion: apiVersionOf(row),
    metadata: {
      resourceVersion: item.resourceVersion,
      ...(item.initialEventsEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
    },
  };
}

function lineOf(type: string, object: string): Uint8Array {
  return Buffer.from(`{"type":"${type}","object":${object}}\n`);
}

function untyped({ kind, apiVersion, ...object }: KubeObject): JsonObject {
  return object;
}

/** With kind and apiVersion first, as people expect to read it. */
function ordered(object: KubeObject): KubeObject {
  const { kind, apiVersion, metadata, ...rest } = object;
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(apiVersion === undefined ? {} : { apiVersion }),
    metadata,
    ...rest,
  };
}
