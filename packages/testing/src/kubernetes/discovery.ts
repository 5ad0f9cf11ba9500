import type { JsonObject } from "./json.ts";
import type { Reply } from "./reply.ts";
import type { RequestInfo } from "./request-info.ts";
import { defineRow, type ResourceRow } from "./resource-table.ts";
import { reviewResources } from "./reviews.ts";
import type { RowIndex } from "./row-index.ts";

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/** What is only asked is found like what is kept. */
const reviewRows: readonly ResourceRow[] = reviewResources.map(({ group, resource, kind, namespaced }) =>
  defineRow(`${group}/v1`, resource, kind, { namespaced, storage: "" }),
);
const verbsOf = ({ storage }: ResourceRow): string[] => (storage === "" ? ["create"] : verbs);
const partVerbs = ["get", "patch", "update"];

/** `/api`, `/apis` and what is under them that is no resource; undefined for other paths. */
export function serveDiscovery(index: RowIndex, info: RequestInfo, accept: string): Reply | undefined {
  const parts = info.path.split("/").filter((part) => part !== "");
  const aggregated = accept.includes("as=APIGroupDiscoveryList") && accept.includes("v=v2;");
  const rows = [...index.all(), ...reviewRows];
  const [root, group, version] = parts;
  if (root === "api" && parts.length === 1) {
    if (aggregated) return aggregatedList(rows.filter((row) => row.group === ""));
    return json({ kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] });
  }
  if (root === "api" && parts.length === 2 && group === "v1") {
    return resourceList(
      "v1",
      rows.filter((row) => row.group === ""),
    );
  }
  if (root !== "apis") return undefined;
  const grouped = rows.filter((row) => row.group !== "");
  if (parts.length === 1) {
    if (aggregated) return aggregatedList(grouped);
    const groups = [...new Set(grouped.map((row) => row.group))];
    return json({
      kind: "APIGroupList",
      apiVersion: "v1",
      groups: groups.map((name) => groupOf(name, grouped)),
    });
  }
  const members = grouped.filter((row) => row.group === group);
  if (members.length === 0) return undefined;
  if (parts.length === 2)
    return json({ kind: "APIGroup", apiVersion: "v1", ...groupOf(group ?? "", members) });
  const served = members.filter((row) => row.version === version);
  return parts.length === 3 && served.length > 0 ? resourceList(`${group}/${version}`, served) : undefined;
}

function json(body: JsonObject): Reply {
  return { status: 200, body };
}

function groupOf(name: string, rows: readonly ResourceRow[]): JsonObject {
  const versions = [...new Set(rows.filter((row) => row.group === name).map((row) => row.version))].map(
    (version) => ({ groupVersion: `${name}/${version}`, version }),
  );
  return { name, versions, ...(versions[0] ? { preferredVersion: versions[0] } : {}) };
}

function resourceList(groupVersion: string, rows: readonly ResourceRow[]): Reply {
  const resources = rows.flatMap((row) => [
    {
      name: row.resource,
      singularName: row.singular,
      namespaced: row.namespaced,
      kind: row.kind,
      verbs: verbsOf(row),
      ...(row.shortNames.length > 0 ? { shortNames: [...row.shortNames] } : {}),
      ...(row.categories.length > 0 ? { categories: [...row.categories] } : {}),
    },
    ...subresourcesOf(row).map(({ name, kind }) => ({
      name: `${row.resource}/${name}`,
      singularName: "",
      namespaced: row.namespaced,
      ...(kind.group === row.group ? {} : { group: kind.group, version: kind.version }),
      kind: kind.kind,
      verbs: name === "token" ? ["create"] : partVerbs,
    })),
  ]);
  return json({ kind: "APIResourceList", apiVersion: "v1", groupVersion, resources });
}

/** apidiscovery.k8s.io/v2, which kubectl asks for first. */
function aggregatedList(rows: readonly ResourceRow[]): Reply {
  const groups = [...new Set(rows.map((row) => row.group))];
  const items = groups.map((name) => {
    const members = rows.filter((row) => row.group === name);
    const versions = [...new Set(members.map((row) => row.version))];
    return {
      metadata: name === "" ? {} : { name },
      versions: versions.map((version) => ({
        version,
        freshness: "Current",
        resources: members.filter((row) => row.version === version).map(aggregatedResource),
      })),
    };
  });
  return {
    status: 200,
    headers: { "content-type": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" },
    body: { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items },
  };
}

function aggregatedResource(row: ResourceRow): JsonObject {
  const subresources = subresourcesOf(row).map(({ name, kind }) => ({
    subresource: name,
    responseKind: { ...kind },
    verbs: name === "token" ? ["create"] : partVerbs,
  }));
  return {
    resource: row.resource,
    responseKind: { group: row.group, version: row.version, kind: row.kind },
    scope: row.namespaced ? "Namespaced" : "Cluster",
    singularResource: row.singular,
    verbs: verbsOf(row),
    ...(row.shortNames.length > 0 ? { shortNames: [...row.shortNames] } : {}),
    ...(row.categories.length > 0 ? { categories: [...row.categories] } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

interface Subresource {
  readonly name: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
}

function subresourcesOf(row: ResourceRow): Subresource[] {
  const own = { group: row.group, version: row.version, kind: row.kind };
  return [
    ...(row.status ? [{ name: "status", kind: own }] : []),
    ...(row.scale ? [{ name: "scale", kind: { group: "autoscaling", version: "v1", kind: "Scale" } }] : []),
    ...(row.storage === "serviceaccounts"
      ? [{ name: "token", kind: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" } }]
      : []),
  ];
}

/** Answers of `/version`. */
export const versionInfo: JsonObject = {
  major: "1",
  minor: "35",
  gitVersion: "v1.35.4",
  gitCommit: "",
  gitTreeState: "",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "go1.25",
  compiler: "gc",
  platform: "linux/amd64",
};
