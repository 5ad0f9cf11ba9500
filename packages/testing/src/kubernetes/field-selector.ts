import type { KubeObject } from "./kube-object.ts";
import type { ResourceRow } from "./resource-table.ts";
import { badRequest } from "./status-error.ts";

/** Parses `metadata.name=x,status.phase!=Failed`; throws BadRequest for fields that the resource cannot be asked for. */
export function parseFieldSelector(row: ResourceRow, text: string): (object: KubeObject) => boolean {
  const requirements = text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const found = /^([^=!]+)(==|=|!=)(.*)$/.exec(part.trim());
      if (!found) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`);
      const [, field = "", operator, value = ""] = found;
      const read = reader(row, field.trim());
      return (object: KubeObject): boolean => (read(object) === value.trim()) === (operator !== "!=");
    });
  return (object) => requirements.every((requirement) => requirement(object));
}

function reader(row: ResourceRow, field: string): (object: KubeObject) => string {
  if (field === "metadata.name") return (object) => object.metadata.name ?? "";
  if (field === "metadata.namespace" && row.namespaced) return (object) => object.metadata.namespace ?? "";
  const read = row.fields[field];
  if (!read) {
    throw badRequest(
      `"${field}" is not a known field selector: only "metadata.name"${row.namespaced ? ', "metadata.namespace"' : ""}`,
    );
  }
  return read;
}
