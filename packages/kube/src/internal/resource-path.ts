import { KubeError } from "../error.ts";
import type { KubeObject, ResourceType } from "../kube-object.ts";

/** Where in a resource a request goes. */
export interface ResourcePlace {
  /** Of one object; without it the collection. */
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly subresource?: string | undefined;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
}

/** The path with its query. Throws ERR_KUBE_CONFIG for names that no path can have. */
export function resourcePath<T extends KubeObject>(type: ResourceType<T>, place: ResourcePlace): string {
  const root = type.group === "" ? ["api"] : ["apis", type.group];
  const path = ["", ...root, type.version];
  if (type.namespaced && place.namespace !== undefined) {
    path.push("namespaces", segment("namespace", place.namespace));
  }
  path.push(type.resource);
  if (place.name !== undefined) path.push(segment("name", place.name));
  if (place.subresource !== undefined)
    path.push(...place.subresource.split("/").map((part) => segment("subresource", part)));
  return path.join("/") + queryString(place.query ?? {});
}

export function apiVersionOf({ group, version }: ResourceType<KubeObject>): string {
  return group === "" ? version : `${group}/${version}`;
}

// An empty name would be the collection, which a DELETE would empty.
function segment(what: string, name: string): string {
  if (name === "" || name === "." || name === ".." || /[/%]/.test(name)) {
    throw new KubeError("ERR_KUBE_CONFIG", `not a ${what} that a path can have: ${JSON.stringify(name)}`);
  }
  return encodeURIComponent(name);
}

function queryString(query: NonNullable<ResourcePlace["query"]>): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}
