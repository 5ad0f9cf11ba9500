import { mediaType, parseBody, parseObjectBody } from "./body.ts";
import type { DeleteRequest } from "./deletion.ts";
import { fieldsOf, isJsonObject, itemsOf, type Json, type JsonObject } from "./json.ts";
import { listObjects } from "./kube-list.ts";
import { type KubeObject, keyOf } from "./kube-object.ts";
import { mergeSchemaOf } from "./merge-schema.ts";
import { jsonPatch, mergePatch } from "./patch.ts";
import { selectionOf, shownAs } from "./read-handlers.ts";
import type { Reply } from "./reply.ts";
import type { Representation } from "./representation.ts";
import { integerOf, isDryRun, managerOf, type ResourceCall, type ResourceServer } from "./resource-call.ts";
import { apiVersionOf } from "./resource-name.ts";
import { fromScale, scaleOf } from "./scale.ts";
import { applyConfiguration } from "./server-side-apply.ts";
import { badRequest, invalid, notFound, otherUid, StatusError } from "./status-error.ts";
import { strategicMerge } from "./strategic-merge.ts";
import type { Subresource, WritePlan, WriteTarget } from "./write-plan.ts";

export async function createObject(
  server: ResourceServer,
  call: ResourceCall,
  show: Representation,
): Promise<Reply> {
  const { row } = call;
  const body = parseObjectBody(call.body, call.headers["content-type"], row.kind);
  const { namespace } = targetOf(call);
  const created = await server.write(
    call,
    () => managed(server, call, server.store.planCreate({ row, namespace }, body)),
    isDryRun(call),
  );
  return { status: 201, body: show.object(created) };
}

export async function updateObject(
  server: ResourceServer,
  call: ResourceCall,
  show: Representation,
): Promise<Reply> {
  const { row, info } = call;
  const body = parseObjectBody(call.body, call.headers["content-type"], row.kind);
  const target = targetOf(call);
  const exists = server.store.table.get(row.storage, keyOf(target.namespace, target.name));
  if (!exists && row.createOnUpdate && info.subresource === undefined) {
    const { resourceVersion, uid, ...metadata } = fieldsOf(body.metadata);
    // It creates, but not anew what somebody has seen.
    if (uid) throw otherUid(row, keyOf(target.namespace, target.name), String(uid), undefined);
    const named = { ...body, metadata: { ...metadata, name: target.name } };
    const plan = () =>
      managed(server, call, server.store.planCreate({ row, namespace: target.namespace }, named));
    return { status: 201, body: show.object(await server.write(call, plan, isDryRun(call))) };
  }
  return change(server, call, show, (current) =>
    info.subresource === "scale" ? fromScale(current, body) : body,
  );
}

/** JSON, merge and strategic merge patches; what the content type does not name is 415. */
export async function patchObject(
  server: ResourceServer,
  call: ResourceCall,
  show: Representation,
): Promise<Reply> {
  const { info } = call;
  const type = mediaType(call.headers["content-type"]);
  if (type === "application/apply-patch+yaml") return applyObject(server, call, show);
  const apply = patches[type];
  if (!apply) throw unsupportedPatch();
  const patch = parseBody(call.body, type);
  if (Array.isArray(patch) !== (type === JSON_PATCH) || (!Array.isArray(patch) && !isJsonObject(patch))) {
    throw badRequest("error decoding patch: json: cannot unmarshal into Go value of its type");
  }
  return change(server, call, show, (current) => {
    if (info.subresource !== "scale") return apply(current, patch, call);
    return fromScale(current, apply(scaleOf(current), patch, call));
  });
}

/** Server-side apply; creates what does not exist. */
async function applyObject(server: ResourceServer, call: ResourceCall, show: Representation): Promise<Reply> {
  const { row, info } = call;
  if (info.subresource === "scale") throw unsupportedPatch();
  const configuration = parseObjectBody(call.body, "application/yaml", row.kind);
  if (!info.query.get("fieldManager")) {
    const message = "Required value: is required for apply patch";
    throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [
      { reason: "FieldValueRequired", message, field: "fieldManager" },
    ]);
  }
  if (fieldsOf(configuration.metadata).managedFields !== undefined) {
    throw badRequest("metadata.managedFields must be nil");
  }
  const manager = {
    ...managerOf(call, "Apply", server.clock.now()),
    force: info.query.get("force") === "true",
  };
  const target = targetOf(call);
  const { namespace, name } = target;
  const exists = server.store.table.get(row.storage, keyOf(namespace, name)) !== undefined;
  const plan = (): WritePlan => {
    if (server.store.table.get(row.storage, keyOf(namespace, name))) {
      const make = (current: KubeObject) => applyConfiguration(row, current, configuration, manager);
      return { ...server.store.planUpdate(target, make), unconditional: true };
    }
    const empty: KubeObject = { apiVersion: apiVersionOf(row), kind: row.kind, metadata: { name } };
    const created = applyConfiguration(row, empty, configuration, manager);
    return server.store.planCreate({ row, namespace }, created);
  };
  const applied = await server.write(call, plan, isDryRun(call));
  return { status: exists ? 200 : 201, body: shownAs(call, applied, show) };
}

function unsupportedPatch(): StatusError {
  return new StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
}

const JSON_PATCH = "application/json-patch+json";

type ApplyPatch = (current: JsonObject, patch: Json, call: ResourceCall) => JsonObject;

const patches: Readonly<Record<string, ApplyPatch>> = {
  [JSON_PATCH]: (current, patch) => jsonPatch(current, patch),
  "application/merge-patch+json": (current, patch) => fieldsOf(mergePatch(current, patch)),
  "application/strategic-merge-patch+json": (current, patch, { row }) => {
    // Custom resources have no schema to merge by.
    if (row.custom) throw unsupportedPatch();
    return strategicMerge(current, fieldsOf(patch), mergeSchemaOf(row));
  },
};

async function change(
  server: ResourceServer,
  call: ResourceCall,
  show: Representation,
  make: (current: KubeObject) => JsonObject,
): Promise<Reply> {
  const target = targetOf(call);
  const plan = (): WritePlan => {
    const planned = managed(server, call, planChange(server, call, target, make));
    // A patch applies to whatever is there; one that names a version is held to it when it is planned again.
    return call.info.verb === "patch" ? { ...planned, unconditional: true } : planned;
  };
  const changed = await server.write(call, plan, isDryRun(call));
  return { status: 200, body: shownAs(call, changed, show) };
}

function planChange(
  { store }: ResourceServer,
  { info }: ResourceCall,
  target: WriteTarget,
  make: (current: KubeObject) => JsonObject,
): WritePlan {
  try {
    return store.planUpdate(target, make);
  } catch (error) {
    const undecodable = error instanceof StatusError && / cannot be handled as a /.test(error.message);
    if (info.verb !== "patch" || !undecodable) throw error;
    // Of a body it is malformed; of what a patch makes, the patch is.
    throw invalid({ group: "", kind: "" }, "", [
      { reason: "FieldValueInvalid", message: `Invalid value: ${error.message}`, field: "patch" },
    ]);
  }
}

/** With the writer as the owner of what changes. */
function managed(server: ResourceServer, call: ResourceCall, plan: WritePlan): WritePlan {
  if (!server.managedFields) return plan;
  return { ...plan, manager: managerOf(call, "Update", server.clock.now()) };
}

export async function deleteObject(
  server: ResourceServer,
  call: ResourceCall,
  show: Representation,
): Promise<Reply> {
  const { row } = call;
  const { namespace, name } = targetOf(call);
  const request = deleteRequestOf(call);
  const dryRun = isDryRun(call) || request.dryRun;
  const object = server.store.table.get(row.storage, keyOf(namespace, name));
  if (!object) throw notFound(row, name);
  await server.admitDelete(call, object, dryRun);
  const removed = dryRun ? { object, gone: true } : server.store.remove(row, namespace, name, request);
  if (!removed.gone || row.returnsDeleted) return { status: 200, body: show.object(removed.object) };
  const { uid } = removed.object.metadata;
  const details = { name, ...(row.group ? { group: row.group } : {}), kind: row.resource, uid };
  return {
    status: 200,
    body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details },
  };
}

export async function deleteAll(
  server: ResourceServer,
  call: ResourceCall,
  show: Representation,
): Promise<Reply> {
  const { row } = call;
  const request = deleteRequestOf(call);
  const dryRun = isDryRun(call) || request.dryRun;
  const page = listObjects(server.store.table, row, selectionOf(call));
  const removed: KubeObject[] = [];
  for (const object of page.items) {
    await server.admitDelete(call, object, dryRun);
    const { namespace, name = "" } = object.metadata;
    if (dryRun || !server.store.table.get(row.storage, keyOf(namespace, name))) continue;
    removed.push(server.store.remove(row, namespace, name, request).object);
  }
  return { status: 200, body: show.list(removed, { resourceVersion: server.store.resourceVersion }) };
}

function targetOf({ row, info }: ResourceCall): WriteTarget {
  return {
    row,
    namespace: row.namespaced ? (info.namespace ?? "default") : undefined,
    name: info.name ?? "",
    subresource: info.subresource as Subresource,
  };
}

/** DeleteOptions come as the body or in the query. */
function deleteRequestOf({
  body,
  headers,
  info,
}: ResourceCall): DeleteRequest & { readonly dryRun: boolean } {
  const options = body ? fieldsOf(parseBody(body, mediaType(headers["content-type"]))) : {};
  const { uid, resourceVersion } = fieldsOf(options.preconditions);
  const propagation = info.query.get("propagationPolicy") ?? options.propagationPolicy ?? "Background";
  if (!["Foreground", "Background", "Orphan"].includes(String(propagation))) {
    const message = `Unsupported value: ${JSON.stringify(propagation)}: supported values: "Foreground", "Background", "Orphan", "nil"`;
    throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", [
      { reason: "FieldValueNotSupported", message, field: "propagationPolicy" },
    ]);
  }
  const grace = integerOf(info.query.get("gracePeriodSeconds")) ?? options.gracePeriodSeconds;
  return {
    preconditions: {
      ...(typeof uid === "string" ? { uid } : {}),
      ...(typeof resourceVersion === "string" ? { resourceVersion } : {}),
    },
    dryRun: itemsOf(options.dryRun).includes("All"),
    propagationPolicy: propagation as NonNullable<DeleteRequest["propagationPolicy"]>,
    gracePeriodSeconds: typeof grace === "number" ? grace : undefined,
  };
}
