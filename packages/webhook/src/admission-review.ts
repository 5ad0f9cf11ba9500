import type { KubeObject } from "@newleaf/kube";

/** An API request as admission sees it (admission.k8s.io/v1 AdmissionRequest). */
export interface AdmissionRequest<T extends KubeObject = KubeObject> {
  readonly uid: string;
  /** What `object` is: converted, with matchPolicy Equivalent, from what was asked for. */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string };
  readonly subResource: string | undefined;
  readonly operation: AdmissionOperation;
  /** "" when the name is still to be generated. */
  readonly name: string;
  /** "" for what is in no namespace. */
  readonly namespace: string;
  readonly userInfo: AdmissionUser;
  /** Undefined for DELETE. */
  readonly object: T | undefined;
  /** Undefined for CREATE and CONNECT. */
  readonly oldObject: T | undefined;
  /** CreateOptions, UpdateOptions or DeleteOptions. */
  readonly options: KubeObject | undefined;
  /** Nothing will be kept, so no reviewer may have side effects. */
  readonly dryRun: boolean;
}

export type AdmissionOperation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

export interface AdmissionUser {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** Why there is no review: HTTP status, and reason as meta/v1 has it. */
export interface AdmissionRefusal {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

export const ADMISSION_API_VERSION = "admission.k8s.io/v1";

type Parsed =
  | { readonly ok: true; readonly request: AdmissionRequest }
  | { readonly ok: false; readonly refusal: AdmissionRefusal };

/** The request of an AdmissionReview v1. No refusal quotes what was sent, which may be a Secret. */
export function parseAdmissionReview(octets: Uint8Array): Parsed {
  const review = parseJson(octets);
  if (!isRecord(review)) return refuse("the body is no JSON object in UTF-8");
  if (review.kind !== "AdmissionReview") return refuse(otherKind(review.kind));
  if (review.apiVersion !== ADMISSION_API_VERSION) {
    const old = review.apiVersion === "admission.k8s.io/v1beta1";
    return refuse(
      old
        ? 'AdmissionReview admission.k8s.io/v1beta1 is not spoken; give the webhook admissionReviewVersions: ["v1"]'
        : `AdmissionReview is understood as ${ADMISSION_API_VERSION} only`,
    );
  }
  if (!isRecord(review.request)) return refuse("the AdmissionReview has no request");
  return requestOf(review.request);
}

function requestOf(given: Record<string, unknown>): Parsed {
  const { uid, kind, resource, operation, userInfo } = given;
  if (typeof uid !== "string" || uid === "" || uid.length > 256) return refuse("request.uid is missing");
  if (!isRecord(kind) || text(kind.kind) === "") return refuse("request.kind is missing");
  if (!isRecord(resource) || text(resource.resource) === "") return refuse("request.resource is missing");
  if (!isOperation(operation)) return refuse("request.operation is none of CREATE, UPDATE, DELETE, CONNECT");
  const objects = { object: given.object, oldObject: given.oldObject, options: given.options };
  for (const [name, value] of Object.entries(objects)) {
    if (value !== null && value !== undefined && !isRecord(value))
      return refuse(`request.${name} is no object`);
  }
  const request: AdmissionRequest = {
    uid,
    kind: { group: text(kind.group), version: text(kind.version), kind: text(kind.kind) },
    resource: {
      group: text(resource.group),
      version: text(resource.version),
      resource: text(resource.resource),
    },
    subResource: text(given.subResource) || undefined,
    operation,
    name: text(given.name),
    namespace: text(given.namespace),
    userInfo: userOf(isRecord(userInfo) ? userInfo : {}),
    object: objectOf(given.object),
    oldObject: objectOf(given.oldObject),
    options: objectOf(given.options),
    dryRun: given.dryRun === true,
  };
  return { ok: true, request };
}

function userOf(given: Record<string, unknown>): AdmissionUser {
  const extra = isRecord(given.extra) ? given.extra : {};
  return {
    username: text(given.username),
    uid: text(given.uid),
    groups: texts(given.groups),
    extra: Object.fromEntries(Object.entries(extra).map(([name, values]) => [name, texts(values)])),
  };
}

function otherKind(kind: unknown): string {
  switch (kind) {
    case "ConversionReview":
    case "TokenReview":
    case "SubjectAccessReview":
      return `${kind} is left out: this server answers AdmissionReview ${ADMISSION_API_VERSION} only`;
    default:
      return `the body is no AdmissionReview ${ADMISSION_API_VERSION}`;
  }
}

function parseJson(octets: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
  } catch {
    return undefined;
  }
}

function refuse(message: string): Parsed {
  return { ok: false, refusal: { code: 400, reason: "BadRequest", message } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOperation(value: unknown): value is AdmissionOperation {
  return value === "CREATE" || value === "UPDATE" || value === "DELETE" || value === "CONNECT";
}

function objectOf(value: unknown): KubeObject | undefined {
  return isRecord(value) ? value : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}
