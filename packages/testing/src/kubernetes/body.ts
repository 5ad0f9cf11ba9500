import { parse } from "yaml";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";
import { badRequest, StatusError } from "./status-error.ts";

/** What the API server takes in one request. */
export const MAX_BODY_BYTES: number = 3 * 1024 * 1024;

/** Reads the body of a create or update, JSON or YAML by its content type; throws 400, 413 or 415. */
export function parseObjectBody(
  body: string | undefined,
  contentType: string | undefined,
  kind: string,
): JsonObject {
  const type = mediaType(contentType) || "application/json";
  if (type !== "application/json" && type !== "application/yaml") {
    throw new StatusError(
      415,
      "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml",
    );
  }
  const value = parseBody(body, type);
  if (isJsonObject(value)) return value;
  throw badRequest(
    `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind`,
  );
}

/** Any JSON or YAML value; throws 400 or 413. */
export function parseBody(body: string | undefined, type: string): Json {
  const text = body ?? "";
  if (Buffer.byteLength(text) > MAX_BODY_BYTES) {
    throw new StatusError(
      413,
      "RequestEntityTooLarge",
      `Request entity too large: limit is ${MAX_BODY_BYTES}`,
    );
  }
  try {
    return (type.endsWith("yaml") ? parse(text) : JSON.parse(text)) as Json;
  } catch (error) {
    // What the parser says may quote a Secret.
    const where = /position \d+|line \d+/.exec(String(error))?.[0];
    throw badRequest(`the object provided is unrecognized: json parse error${where ? ` at ${where}` : ""}`);
  }
}

/** Without its parameters, in lower case. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}
