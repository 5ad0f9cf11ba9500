import { fieldsOf, isJsonObject, itemsOf } from "./json.ts";
import type { ObjectTable } from "./object-table.ts";
import { qualifiedName } from "./resource-name.ts";
import { builtInResources, customTraits, defineRow, type ResourceRow } from "./resource-table.ts";

/** The resources that are served: those built in, and those of stored CustomResourceDefinitions. */
export interface RowIndex {
  all(): readonly ResourceRow[];
  at(group: string, version: string, resource: string): ResourceRow | undefined;
  /** As kubectl names it: `secrets`, `deployments.apps`. Throws for what is not served. */
  byName(resource: string): ResourceRow;
  byStorage(storage: string): ResourceRow;
  namespacedStorages(): readonly string[];
}

export function createRowIndex(table: ObjectTable): RowIndex {
  const builtIn = builtInResources;
  let rows = builtIn;
  let index = indexRows(rows);
  table.subscribe("customresourcedefinitions.apiextensions.k8s.io", () => {
    const definitions = table.entries("customresourcedefinitions.apiextensions.k8s.io") ?? [];
    const custom = definitions.flatMap(([, definition]) => customRows(fieldsOf(definition.spec)));
    rows = [...builtIn, ...custom.filter(({ group }) => !builtIn.some((row) => row.group === group))];
    index = indexRows(rows);
  });
  const byStorage = (storage: string): ResourceRow => {
    const row = rows.find((candidate) => candidate.storage === storage);
    if (!row) throw new Error(`no resource is stored as ${storage}`);
    return row;
  };
  return {
    all: () => rows,
    at: (group, version, resource) => index.get(`${group}/${version}/${resource}`),
    byName: (resource) => {
      const row = index.get(resource);
      if (!row) throw new Error(`no resource is called ${resource}`);
      return row;
    },
    byStorage,
    namespacedStorages: () => [
      ...new Set(rows.filter(({ namespaced }) => namespaced).map(({ storage }) => storage)),
    ],
  };
}

function indexRows(rows: readonly ResourceRow[]): ReadonlyMap<string, ResourceRow> {
  const index = new Map<string, ResourceRow>();
  for (const row of rows) {
    index.set(`${row.group}/${row.version}/${row.resource}`, row);
    const name = qualifiedName(row);
    if (!index.has(name)) index.set(name, row);
  }
  return index;
}

function customRows(spec: ReturnType<typeof fieldsOf>): ResourceRow[] {
  const names = fieldsOf(spec.names);
  return itemsOf(spec.versions)
    .filter(isJsonObject)
    .filter(({ served }) => served === true)
    .map(({ name, subresources }) =>
      defineRow(
        `${String(spec.group)}/${String(name)}`,
        String(names.plural),
        String(names.kind),
        customTraits({
          namespaced: spec.scope === "Namespaced",
          singular: String(names.singular ?? ""),
          shortNames: itemsOf(names.shortNames).map(String),
          categories: itemsOf(names.categories).map(String),
          status: fieldsOf(subresources).status !== undefined,
        }),
      ),
    );
}
