type ApiVerb =
  | "get"
  | "list"
  | "watch"
  | "create"
  | "update"
  | "patch"
  | "delete"
  | "deletecollection"
  | (string & {});

/** What a request is about, in the words of authorization: a resource, or a path that is none. */
export interface RequestInfo {
  readonly verb: ApiVerb;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Undefined for paths that are no resource. */
  readonly resource: string | undefined;
  readonly group: string;
  readonly version: string;
  readonly subresource: string | undefined;
  /** Undefined at the cluster scope, and for all namespaces. */
  readonly namespace: string | undefined;
  /** Of a list or watch the one name that its field selector asks for, as authorization sees it. */
  readonly name: string | undefined;
}

/** Reads method, path and query; knows nothing of what exists. */
export function parseRequest(method: string, target: string): RequestInfo {
  const url = new URL(target, "https://kubernetes");
  const parts = url.pathname
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
  const common = { method, path: url.pathname, query: url.searchParams };
  const none = {
    group: "",
    version: "",
    resource: undefined,
    subresource: undefined,
    namespace: undefined,
    name: undefined,
  };
  const core = parts[0] === "api" && parts.length >= 3;
  const grouped = parts[0] === "apis" && parts.length >= 4;
  if (!core && !grouped) return { ...common, ...none, verb: method.toLowerCase() };
  const [group, version, ...rest] = core ? ["", ...parts.slice(1)] : parts.slice(1);
  const place = placeOf(rest);
  const selected = place.name ?? nameSelected(url.searchParams.get("fieldSelector"));
  return {
    ...common,
    group: group ?? "",
    version: version ?? "",
    ...place,
    name: selected,
    verb: verbOf(method, place.name !== undefined, url.searchParams),
  };
}

type Place = Pick<RequestInfo, "resource" | "subresource" | "namespace" | "name">;

/** `namespaces/x` is itself a resource; `namespaces/x/pods` is one in it. */
function placeOf(parts: readonly string[]): Place {
  const [first, namespace, third] = parts;
  const inNamespace =
    first === "namespaces" &&
    namespace !== undefined &&
    third !== undefined &&
    !NAMESPACE_SUBRESOURCES.has(third);
  const [resource, name, ...subresource] = inNamespace ? parts.slice(2) : parts;
  return {
    resource,
    name,
    subresource: subresource.length > 0 ? subresource.join("/") : undefined,
    namespace: inNamespace || first === "namespaces" ? namespace : undefined,
  };
}

const NAMESPACE_SUBRESOURCES = new Set(["status", "finalize"]);

function verbOf(method: string, named: boolean, query: URLSearchParams): ApiVerb {
  switch (method) {
    case "GET":
    case "HEAD":
      if (named) return "get";
      return isTrue(query.get("watch")) ? "watch" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return named ? "delete" : "deletecollection";
    default:
      return method.toLowerCase();
  }
}

/** `?watch`, `?watch=1` and `?watch=true`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== "0" && value.toLowerCase() !== "false";
}

function nameSelected(fieldSelector: string | null): string | undefined {
  return /(?:^|,)metadata\.name==?([^,]+)/.exec(fieldSelector ?? "")?.[1];
}
