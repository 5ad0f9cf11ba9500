/** Header fields in the order received, with their case: name, value. */
export type Headers = readonly (readonly [name: string, value: string])[];

/** Pairs up Node's `rawHeaders`; HTTP/2 pseudo fields (`:path`) are left out. */
export function pairs(raw: readonly string[]): Headers {
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    if (!name.startsWith(":")) headers.push([name, raw[index + 1] ?? ""]);
  }
  return headers;
}

/** The first value of a field, by lower-case name. */
export function fieldValue(headers: Headers, name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1];
}

// RFC 9110 section 7.6.1, and the fields of a proxy's own authentication (sections 11.7.1 and 11.7.2).
const HOP_BY_HOP = [
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "proxy-authenticate",
  "proxy-authorization",
];

/** What may travel on: everything but hop-by-hop fields and those that Connection names. */
export function endToEnd(headers: Headers): Headers {
  const named = headers
    .filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.split(",").map((option) => option.trim().toLowerCase()));
  return without(headers, new Set([...HOP_BY_HOP, ...named]));
}

/**
 * Leaves out fields by lower-case name. An underscore counts as a hyphen: CGI-like servers see no difference, so
 * `X_Forwarded_Client_Cert` must not pass where `X-Forwarded-Client-Cert` must not.
 */
export function without(headers: Headers, names: ReadonlySet<string>): Headers {
  return headers.filter(([name]) => !names.has(name.toLowerCase().replaceAll("_", "-")));
}

/** The flat form that `http.request` takes: repeated fields stay repeated, in order. */
export function flat(headers: Headers): string[] {
  return headers.flat();
}

/** Fields under one name each, as `setHeader` wants repeated ones. */
export function grouped(headers: Headers): ReadonlyMap<string, string | string[]> {
  const groups = new Map<string, { name: string; values: string[] }>();
  for (const [name, value] of headers) {
    const group = groups.get(name.toLowerCase());
    if (group) group.values.push(value);
    else groups.set(name.toLowerCase(), { name, values: [value] });
  }
  return new Map(
    [...groups.values()].map(({ name, values }) => [name, values.length === 1 ? (values[0] ?? "") : values]),
  );
}

// Fields that route, frame, authenticate or describe the message have no meaning at its end (RFC 9110 section 6.5.1).
const NEVER_TRAILERS = new Set([
  ...HOP_BY_HOP,
  "trailer",
  "host",
  "content-length",
  "content-type",
  "content-encoding",
  "content-range",
  "expect",
  "authorization",
  "cookie",
  "set-cookie",
  "x-forwarded-client-cert",
  "x-forwarded-for",
  "x-forwarded-proto",
]);

/** The trailers that may travel on, as `addTrailers` takes them. */
export function asTrailers(raw: readonly string[]): Record<string, string | string[]> {
  return Object.fromEntries(grouped(without(pairs(raw), NEVER_TRAILERS)));
}
