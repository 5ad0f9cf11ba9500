import { applyPatch, type Operation } from "rfc6902";
import { cloneJson, isJsonObject, type Json, type JsonObject } from "./json.ts";
import { badRequest, StatusError } from "./status-error.ts";

/** RFC 7396. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return cloneJson(patch);
  const merged: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field];
    else if (value !== undefined) merged[field] = mergePatch(merged[field], value);
  }
  return merged;
}

/** RFC 6902; throws BadRequest for what is no patch, Invalid for one that does not apply. */
export function jsonPatch(target: JsonObject, patch: Json): JsonObject {
  if (!Array.isArray(patch)) {
    throw badRequest(
      "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
    );
  }
  if (patch.length > MAX_OPERATIONS) {
    throw new StatusError(
      413,
      "RequestEntityTooLarge",
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  }
  const document = cloneJson(target);
  const operations = patch.filter(isJsonObject) as unknown as Operation[];
  const failed = operations.length < patch.length || applyPatch(document, operations).some(Boolean);
  if (failed) {
    throw new StatusError(
      422,
      "Invalid",
      "the server rejected our request due to an error in our request",
      {},
    );
  }
  return document;
}

const MAX_OPERATIONS = 10_000;
