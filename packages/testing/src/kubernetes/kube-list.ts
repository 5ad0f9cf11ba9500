import { fieldsOf } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ObjectTable } from "./object-table.ts";
import type { ResourceRow } from "./resource-table.ts";
import type { Selection } from "./selection.ts";
import { badRequest, expired, invalid, StatusError } from "./status-error.ts";

export interface ListRequest extends Selection {
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

export interface ListPage {
  /** As stored. */
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly continue: string | undefined;
  readonly remainingItemCount: number | undefined;
}

/** A list or a page of one, with what resourceVersion, its match, and continue tokens mean to the API server. */
export function listObjects(table: ObjectTable, row: ResourceRow, request: ListRequest): ListPage {
  const token = request.continue ? parseContinue(request.continue) : undefined;
  if (token && request.resourceVersion && request.resourceVersion !== "0") {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  const version = token?.version ?? versionToList(table, request);
  const entries = table.entries(row.storage, version);
  if (!entries)
    throw expired(token ? EXPIRED_TOKEN : "The resourceVersion for the provided list is too old.");

  const prefix = request.namespace === undefined ? "" : `${request.namespace}/`;
  const after = token?.after ?? "";
  // What is served from the cache is served whole.
  const paged = request.limit && request.limit > 0 && request.resourceVersion !== "0";
  const limit = paged ? request.limit : Number.POSITIVE_INFINITY;
  const items: KubeObject[] = [];
  let last = "";
  let remaining = 0;
  for (const [key, object] of entries) {
    if (key <= after || !key.startsWith(prefix) || request.matches?.(object) === false) continue;
    if (items.length < limit) {
      items.push(object);
      last = key;
    } else remaining += 1;
  }
  return {
    items,
    resourceVersion: String(version),
    continue: remaining > 0 ? formatContinue({ version, after: last }) : undefined,
    // Kubernetes does not count what a selector would leave out.
    remainingItemCount: remaining > 0 && !request.matches ? remaining : undefined,
  };
}

/** The words of 410 for a version that the history no longer reaches. */
export function tooOld(version: number, oldest: number): string {
  return `too old resource version: ${version} (${oldest})`;
}

/** Throws Timeout, as the API server does after three seconds of waiting for a version that it does not see. */
export function checkNotFuture(version: number, current: number): void {
  if (version <= current) return;
  throw new StatusError(
    504,
    "Timeout",
    `Timeout: Too large resource version: ${version}, current: ${current}`,
    {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    },
  );
}

/** A version; what is none is a BadRequest to lists, and has no reason to watches. */
export function parseVersion(text: string, of: "list" | "watch"): number {
  if (/^\d+$/.test(text)) return Number(text);
  const why = `resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`;
  throw of === "list" ? badRequest(`invalid resource version: ${why}`) : new StatusError(500, undefined, why);
}

function versionToList(table: ObjectTable, request: ListRequest): number {
  const { resourceVersion = "", resourceVersionMatch: match } = request;
  if (match && !resourceVersion) {
    throw listOptionsInvalid("resourceVersionMatch is forbidden unless resourceVersion is provided");
  }
  if (match && match !== "Exact" && match !== "NotOlderThan") {
    throw listOptionsInvalid(`Unsupported value: "${match}": supported values: "Exact", "NotOlderThan"`);
  }
  if (!resourceVersion || resourceVersion === "0") {
    if (match === "Exact") {
      throw listOptionsInvalid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
    return table.resourceVersion;
  }
  const version = parseVersion(resourceVersion, "list");
  checkNotFuture(version, table.resourceVersion);
  // A page at a version without a match is of exactly that version, which is how old clients page.
  const exact = match === "Exact" || (!match && (request.limit ?? 0) > 0);
  return exact ? version : table.resourceVersion;
}

/** 422 about the query of a list or watch. */
export function listOptionsInvalid(why: string): StatusError {
  const of = { group: "meta.k8s.io", kind: "ListOptions" };
  const message = `Forbidden: ${why}`;
  return invalid(of, "", [{ reason: "FieldValueForbidden", message, field: "resourceVersionMatch" }]);
}

const EXPIRED_TOKEN =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

interface ContinueToken {
  readonly version: number;
  readonly after: string;
}

function formatContinue({ version, after }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: version, start: after })).toString(
    "base64url",
  );
}

function parseContinue(text: string): ContinueToken {
  try {
    const { rv, start } = fieldsOf(JSON.parse(Buffer.from(text, "base64url").toString()));
    if (typeof rv === "number" && typeof start === "string") return { version: rv, after: start };
  } catch {
    // Said below.
  }
  throw badRequest("invalid continue token: continue key is not valid");
}
