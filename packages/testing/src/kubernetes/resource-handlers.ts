import { getObject, listResource, watchResource } from "./read-handlers.ts";
import type { Reply } from "./reply.ts";
import { representationFor } from "./representation.ts";
import type { ResourceCall, ResourceServer } from "./resource-call.ts";
import { methodNotAllowed, noSuchResource } from "./status-error.ts";
import { createObject, deleteAll, deleteObject, patchObject, updateObject } from "./write-handlers.ts";

/** Serves what is under `/api/v1` and `/apis/GROUP/VERSION`. */
export async function serveResource(server: ResourceServer, call: ResourceCall): Promise<Reply> {
  checkMethod(call);
  const include = call.info.query.get("includeObject");
  const show = representationFor({
    row: call.row,
    accept: call.headers.accept,
    now: () => server.clock.now(),
    includeObject: include === "None" || include === "Object" ? include : "Metadata",
  });
  switch (call.info.verb) {
    case "get":
      return getObject(server, call, show);
    case "list":
      return listResource(server, call, show);
    case "watch":
      return watchResource(server, call, show);
    case "create":
      return createObject(server, call, show);
    case "update":
      return updateObject(server, call, show);
    case "patch":
      return patchObject(server, call, show);
    case "delete":
      return deleteObject(server, call, show);
    case "deletecollection":
      return deleteAll(server, call, show);
    default:
      throw methodNotAllowed();
  }
}

/** What may be done to a resource, to one object of it, and to a subresource. */
function checkMethod({ info, row }: ResourceCall): void {
  const { subresource, verb, name } = info;
  if (subresource !== undefined) {
    const known = (subresource === "status" && row.status) || (subresource === "scale" && row.scale);
    if (!known) throw noSuchResource();
    if (verb !== "get" && verb !== "update" && verb !== "patch") throw methodNotAllowed();
  } else if (verb === "create" ? name !== undefined : name === undefined && /^(update|patch)$/.test(verb)) {
    throw methodNotAllowed();
  }
  // Objects of a namespace are written in it.
  if (row.namespaced && info.namespace === undefined && !/^(list|watch|get)$/.test(verb)) {
    throw methodNotAllowed();
  }
}
