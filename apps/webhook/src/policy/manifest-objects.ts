import type { FieldPath } from "./field-path.ts";
import { type Fields, fieldsOf, isFields, listOf, textOf } from "./fields.ts";
import type { ObjectName } from "./finding.ts";

/** One object of a document, with where in it the object is. */
export interface ManifestObject {
  readonly name: ObjectName;
  readonly fields: Fields;
  readonly path: FieldPath;
}

/** The objects of one document: itself, or the items of a List, nested ones too. What is no object is left out. */
export function objectsOf(document: unknown, path: FieldPath = []): readonly ManifestObject[] {
  if (!isFields(document)) return [];
  const kind = textOf(document.kind);
  if (kind === undefined) return [];
  if (kind.endsWith("List") && Array.isArray(document.items) && path.length < maxDepth) {
    const itemKind = kind.slice(0, -"List".length);
    return document.items.flatMap((item, index) => {
      // The items of a typed list (DeploymentList) do not name their kind.
      const typed = isFields(item) && item.kind === undefined && itemKind !== "";
      const whole = typed ? { apiVersion: document.apiVersion, kind: itemKind, ...item } : item;
      return objectsOf(whole, [...path, "items", index]);
    });
  }
  return [{ name: nameOf(document, kind), fields: document, path }];
}

/** The API group of an object: `apps` of `apps/v1`, empty for the core group. */
export function groupOf({ apiVersion }: ObjectName): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

/** Annotations that are texts. */
export function annotationsOf(metadata: unknown): ReadonlyMap<string, string> {
  const entries = Object.entries(fieldsOf(fieldsOf(metadata).annotations));
  return new Map(entries.flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])));
}

/** Of `items` steps: two a list. */
const maxDepth = 8;

function nameOf(object: Fields, kind: string): ObjectName {
  const metadata = fieldsOf(object.metadata);
  const generated = textOf(metadata.generateName);
  return {
    apiVersion: textOf(object.apiVersion) ?? "",
    kind,
    namespace: textOf(metadata.namespace),
    name: textOf(metadata.name) ?? (generated === undefined ? "" : `${generated}*`),
  };
}

/** The Pod, or Pod template, of an object: where its `metadata` and `spec` are. */
export interface PodSource {
  readonly metadata: unknown;
  readonly spec: Fields;
  readonly specPath: FieldPath;
}

/** The Pod that an object is or makes, or undefined for other kinds. */
export function podSourceOf(object: ManifestObject): PodSource | undefined {
  const path = templatePaths.get(`${groupOf(object.name)}/${object.name.kind}`);
  if (path === undefined) return undefined;
  const template = fieldsOf(path.reduce<unknown>((value, step) => fieldsOf(value)[step], object.fields));
  if (!isFields(template.spec) || listOf(template.spec.containers).length === 0) return undefined;
  return {
    metadata: template.metadata,
    spec: template.spec,
    specPath: [...object.path, ...path, "spec"],
  };
}

const inSpec = ["spec", "template"];
const templatePaths: ReadonlyMap<string, readonly string[]> = new Map([
  ["/Pod", []],
  ["/PodTemplate", ["template"]],
  ["/ReplicationController", inSpec],
  ...["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].map(
    (kind) => [`apps/${kind}`, inSpec] as const,
  ),
  ["batch/Job", inSpec],
  ["batch/CronJob", ["spec", "jobTemplate", "spec", "template"]],
]);
