import type { AuditEntry } from "./audit.ts";
import type { Authenticator } from "./authentication.ts";
import { serveDiscovery, versionInfo } from "./discovery.ts";
import { disturbBody } from "./disturbed-body.ts";
import { connectionError, type FaultBook, type FaultSubject, pause } from "./faults.ts";
import { impersonate } from "./impersonation.ts";
import type { StoreClock } from "./kube-store.ts";
import { serveOpenapi } from "./openapi.ts";
import { type AccessAttributes, type Authorizer, denial } from "./rbac.ts";
import { isStream, once, type Reply } from "./reply.ts";
import { parseRequest, type RequestInfo } from "./request-info.ts";
import type { ResourceServer } from "./resource-call.ts";
import { serveResource } from "./resource-handlers.ts";
import { serveReview } from "./reviews.ts";
import { forbidden, noSuchResource, StatusError } from "./status-error.ts";
import { anonymous, type PeerIdentity, type UserInfo } from "./user-info.ts";

/** One HTTP request. */
export interface ApiRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  /** Who the connection's client certificate says it is. */
  readonly peer?: PeerIdentity | undefined;
}

export interface ApiResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Rejects when the connection breaks, or with the signal's reason. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HandlerParts {
  readonly server: ResourceServer;
  readonly clock: StoreClock;
  readonly random: () => number;
  readonly faults: FaultBook;
  readonly audit: { add(entry: AuditEntry): void };
  readonly authorizer: Authorizer;
  readonly authenticator: Authenticator;
}

/** Faults, authentication, impersonation, authorization, the resource, audit: in the order of an API server. */
export function createRequestHandler(parts: HandlerParts): (request: ApiRequest) => Promise<ApiResponse> {
  const { faults, clock, random, audit } = parts;
  return async (request) => {
    const info = parseRequest(request.method, request.path);
    const time = clock.now();
    const answered = await answer(parts, request, info);
    const { reply, user, annotations } = answered;
    const subject: FaultSubject = { info, user: user.name };
    const { verb, group, resource, subresource, namespace, name, path } = info;
    const userAgent = request.headers["user-agent"] ?? "";
    const entry = { user: user.name, verb, group, resource, subresource, namespace, name, path, userAgent };
    audit.add({ ...entry, code: reply.status, time, annotations });

    const delay = faults.take(subject, "delay", "after");
    if (delay) await pause(clock, delay.ms, request.signal);
    await faults.stalled(subject, "after", request.signal);
    if (faults.take(subject, "reset", "after")) throw connectionError("ECONNRESET");

    const stream = isStream(reply.body);
    const chunks = isStream(reply.body) ? reply.body : once(Buffer.from(textOf(reply.body)));
    return {
      status: reply.status,
      headers: {
        "content-type": typeof reply.body === "string" ? "text/plain; charset=utf-8" : "application/json",
        "cache-control": "no-cache, private",
        "audit-id": auditId(random),
        date: new Date(clock.now()).toUTCString(),
        ...reply.headers,
      },
      body: stream || faults.any() ? disturbBody(faults, subject, chunks, request.signal) : chunks,
    };
  };
}

interface Answered {
  readonly reply: Reply;
  readonly user: UserInfo;
  readonly annotations: Readonly<Record<string, string>>;
}

async function answer(parts: HandlerParts, request: ApiRequest, info: RequestInfo): Promise<Answered> {
  let user: UserInfo = anonymous;
  const annotations: Record<string, string> = {};
  try {
    await strike(parts, { info, user: userNameOf(parts, request) }, request.signal);
    user = parts.authenticator.authenticate(request.headers, request.peer);
    user = impersonate(parts.authorizer, user, request.headers);
    authorize(parts, user, info);
    return { reply: await dispatch(parts, request, info, user, annotations), user, annotations };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { reply: errorReply(error), user, annotations };
  }
}

/** Faults strike before authentication, and may be for one user. */
function userNameOf({ authenticator }: HandlerParts, { headers, peer }: ApiRequest): string | undefined {
  try {
    return authenticator.authenticate(headers, peer).name;
  } catch {
    return undefined;
  }
}

/** What goes wrong before anything is done. */
async function strike(
  { faults, clock }: HandlerParts,
  subject: FaultSubject,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (!faults.any()) return;
  if (faults.take(subject, "refuse")) throw connectionError("ECONNREFUSED");
  const delay = faults.take(subject, "delay", "before");
  if (delay) await pause(clock, delay.ms, signal);
  await faults.stalled(subject, "before", signal);
  if (faults.take(subject, "reset", "before")) throw connectionError("ECONNRESET");
  const status = faults.take(subject, "status");
  if (!status) return;
  const { code, reason = reasons[code], retryAfterSeconds } = status;
  const message = status.message ?? messages[code] ?? "the server is currently unable to handle the request";
  throw new StatusError(code, reason, message, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
}

const reasons: Readonly<Record<number, string>> = {
  410: "Expired",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};
const messages: Readonly<Record<number, string>> = {
  429: "too many requests, please try again later",
  500: "Internal error occurred: a fault of the test",
};

function authorize({ authorizer }: HandlerParts, user: UserInfo, info: RequestInfo): void {
  const { verb, group, resource, subresource, namespace, name, path } = info;
  const attributes: AccessAttributes =
    resource === undefined ? { verb, path } : { verb, group, resource, subresource, namespace, name };
  if (authorizer.allows(user, attributes)) return;
  const why = denial(user, attributes);
  if (resource !== undefined) throw forbidden({ group, resource }, name ?? "", why);
  throw new StatusError(403, "Forbidden", `forbidden: ${why}`, {});
}

async function dispatch(
  parts: HandlerParts,
  request: ApiRequest,
  info: RequestInfo,
  user: UserInfo,
  annotations: Record<string, string>,
): Promise<Reply> {
  const { server, authorizer, authenticator } = parts;
  const { store } = server;
  const { headers, body, signal } = request;
  const discovery = info.resource === undefined && serveDiscovery(store.rows, info, headers.accept ?? "");
  if (discovery) return discovery;
  if (info.resource === undefined) return serveOpenapi(store.rows.all(), info.path) ?? servePath(info);
  const context = { user, store, authorizer, authenticator };
  const review = serveReview(context, info, body, headers["content-type"]);
  if (review) return review;
  const row = store.rows.at(info.group, info.version, info.resource);
  if (!store.rows.all().some(({ group }) => group === info.group)) return pageNotFound;
  if (!row || (!row.namespaced && info.namespace !== undefined && row.storage !== "namespaces")) {
    throw noSuchResource();
  }
  const warnings: string[] = [];
  const reply = await serveResource(server, {
    info,
    row,
    headers,
    body,
    signal,
    user,
    warnings,
    annotations,
  });
  if (warnings.length === 0) return reply;
  const warning = warnings.map((text) => `299 - ${JSON.stringify(text)}`).join(", ");
  return { ...reply, headers: { ...reply.headers, warning } };
}

function servePath({ path, method }: RequestInfo): Reply {
  if (path === "/version" || path === "/version/") return { status: 200, body: versionInfo };
  if (/^\/(readyz|livez|healthz)(\/.*)?$/.test(path)) return { status: 200, body: "ok" };
  if (path === "/" && method === "GET")
    return { status: 200, body: { paths: ["/api", "/apis", "/version"] } };
  if (path.startsWith("/api/")) throw noSuchResource();
  return pageNotFound;
}

const pageNotFound: Reply = { status: 404, body: "404 page not found\n" };

function errorReply(error: StatusError): Reply {
  const seconds = (error.body.details as { retryAfterSeconds?: number } | undefined)?.retryAfterSeconds;
  return {
    status: error.code,
    ...(seconds === undefined ? {} : { headers: { "retry-after": String(seconds) } }),
    body: error.body,
  };
}

function textOf(body: Reply["body"]): string {
  return typeof body === "string" ? body : `${JSON.stringify(body)}\n`;
}

function auditId(random: () => number): string {
  return Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, "0"),
  ).join("-");
}
