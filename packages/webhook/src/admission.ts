import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, type Logger, silentLogger, systemClock } from "@newleaf/kube";
import { type Body, readBody } from "./admission-body.ts";
import { type Deadline, deadlineOf, type ReviewEnd, startDeadline } from "./admission-deadline.ts";
import {
  type AdmissionAnswer,
  type AdmissionRoute,
  abandoned,
  decide,
  type Reviewer,
  refused,
} from "./admission-decide.ts";
import { type ReviewRecord, recordReview } from "./admission-record.ts";
import { sendJson } from "./admission-reply.ts";
import { failureStatus } from "./admission-response.ts";
import { type AdmissionRefusal, parseAdmissionReview } from "./admission-review.ts";
import type { MutatingVerdict, ValidatingVerdict } from "./admission-verdict.ts";
import { WebhookError } from "./error.ts";

export interface AdmissionHandlerOptions {
  /** Answers `/validate`. */
  readonly validate?: Reviewer<ValidatingVerdict> | undefined;
  /** Answers `/mutate`. */
  readonly mutate?: Reviewer<MutatingVerdict> | undefined;
  /** Further paths. */
  readonly routes?: Readonly<Record<`/${string}`, AdmissionRoute>> | undefined;
  /** Of a body; 8 MiB by default, since a review may hold an object of the API twice. */
  readonly maxBytes?: number | undefined;
  /** For the body to arrive; 5 s by default. */
  readonly bodyTimeoutMs?: number | undefined;
  /** For a whole review, where the API server (`?timeout=`) does not leave less; 10 s by default. */
  readonly timeoutMs?: number | undefined;
  /** Called once for each request to a known path, when it is over. */
  readonly onReview?: ((record: ReviewRecord) => void) | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Answers AdmissionReview admission.k8s.io/v1 as a listener of `https.createServer`: every request ends with an
 * AdmissionReview or with a Status that gives the reason, in less time than the API server waits. ConversionReview and
 * TokenReview are left out. Logs who asked for what, never what is in it. ERR_WEBHOOK_OPTIONS without a path to answer.
 */
export function createAdmissionHandler(
  options: AdmissionHandlerOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const settings: Settings = {
    routes: routesOf(options),
    maxBytes: options.maxBytes ?? 8 * 2 ** 20,
    bodyTimeoutMs: options.bodyTimeoutMs ?? 5_000,
    timeoutMs: options.timeoutMs ?? 10_000,
    onReview: options.onReview ?? (() => {}),
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
  };
  return (request, response) => void exchange(request, response, settings);
}

interface Settings {
  readonly routes: ReadonlyMap<string, AdmissionRoute>;
  readonly maxBytes: number;
  readonly bodyTimeoutMs: number;
  readonly timeoutMs: number;
  readonly onReview: (record: ReviewRecord) => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

function routesOf({ validate, mutate, routes = {} }: AdmissionHandlerOptions): Map<string, AdmissionRoute> {
  const entries: readonly (readonly [string, AdmissionRoute])[] = [
    ...(validate ? [["/validate", { validate }] as const] : []),
    ...(mutate ? [["/mutate", { mutate }] as const] : []),
    ...Object.entries(routes),
  ];
  const found = new Map(entries);
  const unusable = [...found.keys()].find((path) => !/^\/[^?#]*$/.test(path));
  if (unusable !== undefined || found.size < entries.length || found.size === 0) {
    const what = unusable ?? (found.size === 0 ? "no path" : "a path that is given twice");
    throw new WebhookError("ERR_WEBHOOK_OPTIONS", `admission routes: ${what} cannot be answered`);
  }
  return found;
}

async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  settings: Settings,
): Promise<void> {
  const { clock, logger, onReview } = settings;
  const [path = "", query = ""] = (request.url ?? "").split(/\?(.*)/s);
  const route = settings.routes.get(path);
  if (route === undefined) {
    const refusal = { code: 404, reason: "NotFound", message: "no admission webhook has this path" };
    sendJson(request, response, { status: 404, body: failureStatus(refusal), clock });
    return;
  }
  const startedMs = clock.monotonic();
  const deadline = startDeadline(deadlineOf(query, settings.timeoutMs), response, clock);
  const answer = await answerTo(request, route, deadline, settings);
  deadline.stop();
  if (answer.outcome !== "abandoned") sendJson(request, response, { ...answer, clock });
  recordReview({ ...answer, path, durationMs: clock.monotonic() - startedMs }, logger, onReview);
}

async function answerTo(
  request: IncomingMessage,
  route: AdmissionRoute,
  deadline: Deadline,
  settings: Settings,
): Promise<AdmissionAnswer> {
  const objection = objectionToHead(request);
  if (objection) return refused(objection);
  const { maxBytes, bodyTimeoutMs: timeoutMs, clock } = settings;
  const body = await readBody(request, { maxBytes, timeoutMs, clock, signal: deadline.signal });
  if (body.kind !== "read") return unread(body.kind, deadline.ended(), maxBytes);
  const parsed = parseAdmissionReview(body.octets);
  return parsed.ok ? decide(parsed.request, route, deadline, settings.logger) : refused(parsed.refusal);
}

function objectionToHead({ method, headers }: IncomingMessage): AdmissionRefusal | undefined {
  if (method !== "POST") {
    return { code: 405, reason: "MethodNotAllowed", message: "an AdmissionReview is sent with POST" };
  }
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  const encoding = headers["content-encoding"] ?? "identity";
  if (type === "application/json" && encoding === "identity") return undefined;
  const message = "an AdmissionReview is sent as application/json, not compressed";
  return { code: 415, reason: "UnsupportedMediaType", message };
}

function unread(
  kind: Exclude<Body["kind"], "read">,
  end: ReviewEnd | undefined,
  maxBytes: number,
): AdmissionAnswer {
  if (kind === "gone" && end !== "timeout") return abandoned;
  if (kind === "too-large") {
    const message = `an AdmissionReview of more than ${maxBytes} octets is not read`;
    return refused({ code: 413, reason: "RequestEntityTooLarge", message });
  }
  return refused({ code: 408, reason: "Timeout", message: "the AdmissionReview did not arrive in time" });
}
