import type { JsonObject } from "./json.ts";
import { qualifiedName as qualified } from "./resource-name.ts";

/** One reason among those of a 422 or 409, as `details.causes` lists them. */
export interface StatusCause {
  readonly reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueForbidden"
    | "FieldValueNotSupported"
    | "FieldValueDuplicate"
    | "FieldValueTooLong"
    | "FieldManagerConflict"
    | "NamespaceTerminating"
    | "ResourceVersionTooLarge";
  readonly message: string;
  readonly field?: string;
}

/** A refusal of the API in the words of Kubernetes; `body` is the Status that clients get. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly code: number;
  readonly reason: string | undefined;
  readonly body: JsonObject;

  constructor(code: number, reason: string | undefined, message: string, details?: JsonObject) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.body = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      ...(reason ? { reason } : {}),
      ...(details ? { details } : {}),
      code,
    };
  }
}

interface Named {
  readonly group: string;
  readonly resource: string;
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, "BadRequest", message);
}

export function notFound(row: Named, name: string): StatusError {
  return new StatusError(404, "NotFound", `${qualified(row)} "${name}" not found`, details(row, name));
}

export function noSuchResource(): StatusError {
  return new StatusError(404, "NotFound", "the server could not find the requested resource", {});
}

export function methodNotAllowed(): StatusError {
  return new StatusError(
    405,
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
    {},
  );
}

export function alreadyExists(row: Named, name: string): StatusError {
  return new StatusError(
    409,
    "AlreadyExists",
    `${qualified(row)} "${name}" already exists`,
    details(row, name),
  );
}

export function conflict(row: Named, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(row)} "${name}": ${why}`;
  return new StatusError(409, "Conflict", message, details(row, name));
}

export function staleWrite(row: Named, name: string): StatusError {
  return conflict(
    row,
    name,
    "the object has been modified; please apply your changes to the latest version and try again",
  );
}

/** A write that names another object than the one that is there, or one where none is (`uid` undefined). */
export function otherUid(row: Named, key: string, asked: string, uid: string | undefined): StatusError {
  const why = `Precondition failed: UID in precondition: ${asked}, UID in object meta: ${uid ?? ""}`;
  const name = key.slice(key.indexOf("/") + 1);
  const where = `Key: /registry/${row.resource}/${key}, ResourceVersion: 0`;
  return conflict(row, name, `StorageError: invalid object, Code: 4, ${where}, AdditionalErrorMsg: ${why}`);
}

export function forbidden(row: Named, name: string, why: string, causes?: StatusCause[]): StatusError {
  const subject = name ? `${qualified(row)} "${name}"` : qualified(row);
  return new StatusError(403, "Forbidden", `${subject} is forbidden: ${why}`, {
    ...details(row, name),
    ...(causes ? { causes: causes.map((cause) => ({ ...cause })) } : {}),
  });
}

/** 422 with its causes; `kind` may have a group behind a dot, as in `Deployment.apps`. */
export function invalid(
  of: { readonly group: string; readonly kind: string },
  name: string,
  causes: readonly StatusCause[],
): StatusError {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`);
  const why = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  const kind = of.group ? `${of.kind}.${of.group}` : of.kind;
  return new StatusError(422, "Invalid", `${kind} "${name}" is invalid: ${why}`, {
    ...(name ? { name } : {}),
    ...(of.group ? { group: of.group } : {}),
    ...(of.kind ? { kind: of.kind } : {}),
    causes: causes.map(({ reason, message, field = "" }) => ({ reason, message, field })),
  });
}

/** 410: the history that was asked for is no longer there. */
export function expired(message: string): StatusError {
  return new StatusError(410, "Expired", message);
}

function details(row: Named, name: string): JsonObject {
  return { ...(name ? { name } : {}), ...(row.group ? { group: row.group } : {}), kind: row.resource };
}
