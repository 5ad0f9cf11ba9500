import { fieldAt, fieldsOf, type Json } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import { apiVersionOf } from "./resource-name.ts";
import type { ResourceRow } from "./resource-table.ts";
import { badRequest } from "./status-error.ts";

/** Throws BadRequest, as the decoder of the API server does, for what is no object of this resource. */
export function checkDecodes(row: ResourceRow, object: KubeObject): void {
  const { apiVersion = apiVersionOf(row), kind = row.kind } = object;
  const handled = (why: string): Error =>
    badRequest(`${kind} in version "${row.version}" cannot be handled as a ${row.kind}: ${why}`);
  if (apiVersion !== apiVersionOf(row)) {
    throw handled(
      `no kind "${kind}" is registered for version "${apiVersion}" in scheme "pkg/runtime/scheme.go:111"`,
    );
  }
  if (kind !== row.kind)
    throw handled(`converting (${row.version}.${kind}) to (${row.kind}): unknown conversion`);
  const fault = decoders[row.storage]?.(object);
  if (fault) throw handled(fault);
}

const decoders: Readonly<Record<string, (object: KubeObject) => string | undefined>> = {
  secrets: (secret) => base64Fault(secret.data),
  configmaps: (map) => stringFault(map.data, "data") ?? base64Fault(map.binaryData),
  "leases.coordination.k8s.io": (lease) =>
    microTimeFault(fieldAt(lease, "spec", "renewTime")) ??
    microTimeFault(fieldAt(lease, "spec", "acquireTime")),
  "deployments.apps": replicasFault,
  "replicasets.apps": replicasFault,
  "statefulsets.apps": replicasFault,
};

function base64Fault(data: Json | undefined): string | undefined {
  for (const value of Object.values(fieldsOf(data))) {
    const text = typeof value === "string" ? value.replaceAll(/[\r\n]/g, "") : undefined;
    if (value === null) continue;
    if (text === undefined)
      return `json: cannot unmarshal ${jsonType(value)} into Go struct field .data of type []uint8`;
    const bad = /[^A-Za-z0-9+/=]/.exec(text)?.index;
    if (bad !== undefined) return `illegal base64 data at input byte ${bad}`;
    if (text.length % 4 !== 0 || !/^[^=]*={0,2}$/.test(text)) {
      return `illegal base64 data at input byte ${Math.max(0, text.length - (text.length % 4 || 4))}`;
    }
  }
  return undefined;
}

function stringFault(data: Json | undefined, field: string): string | undefined {
  const wrong = Object.values(fieldsOf(data)).find((value) => typeof value !== "string" && value !== null);
  return wrong === undefined
    ? undefined
    : `json: cannot unmarshal ${jsonType(wrong)} into Go struct field .${field} of type string`;
}

function replicasFault(object: KubeObject): string | undefined {
  const replicas = fieldAt(object, "spec", "replicas");
  if (replicas === undefined || replicas === null || Number.isInteger(replicas)) return undefined;
  return `json: cannot unmarshal ${jsonType(replicas)} into Go struct field .spec.replicas of type int32`;
}

/** RFC 3339 with exactly six digits of a second. */
function microTimeFault(time: Json | undefined): string | undefined {
  if (time === undefined || time === null) return undefined;
  const text = String(time);
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const rest = text.slice("2006-01-02T15:04:05".length);
  return `parsing time "${text}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "${rest}" as ".000000"`;
}

function jsonType(value: Json | undefined): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}
