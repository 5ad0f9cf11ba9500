import type { JsonObject } from "./json.ts";
import type { Reply } from "./reply.ts";
import { apiVersionOf } from "./resource-name.ts";
import type { ResourceRow } from "./resource-table.ts";

/**
 * As much of `/openapi/v3` as kubectl asks for: that there is a PATCH with `fieldValidation` for each kind, so that it
 * leaves validation to the server. There are no schemas, so merges go by the types that kubectl has built in.
 */
export function serveOpenapi(rows: readonly ResourceRow[], path: string): Reply | undefined {
  if (path === "/openapi/v3") {
    const places = [...new Set(rows.map(placeOf))];
    const paths = Object.fromEntries(
      places.map((place) => [place, { serverRelativeURL: `/openapi/v3/${place}` }]),
    );
    return { status: 200, body: { paths } };
  }
  const here = rows.filter((row) => path === `/openapi/v3/${placeOf(row)}`);
  if (here.length === 0) return undefined;
  return {
    status: 200,
    body: {
      openapi: "3.0.0",
      info: { title: "Kubernetes", version: "v1.35.4" },
      paths: Object.fromEntries(here.map((row) => [pathOf(row), { patch: patchOperation(row) }])),
      components: { schemas: {} },
    },
  };
}

function placeOf(row: ResourceRow): string {
  return `${row.group ? "apis" : "api"}/${apiVersionOf(row)}`;
}

function pathOf(row: ResourceRow): string {
  return `/${placeOf(row)}/${row.namespaced ? "namespaces/{namespace}/" : ""}${row.resource}/{name}`;
}

function patchOperation({ group, version, kind }: ResourceRow): JsonObject {
  const query = ["dryRun", "fieldManager", "fieldValidation", "force"];
  return {
    parameters: query.map((name) => ({
      name,
      in: "query",
      schema: { type: name === "force" ? "boolean" : "string", uniqueItems: true },
    })),
    "x-kubernetes-action": "patch",
    "x-kubernetes-group-version-kind": { group, version, kind },
  };
}
