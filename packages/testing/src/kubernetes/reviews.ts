import type { Authenticator } from "./authentication.ts";
import { parseObjectBody } from "./body.ts";
import { fieldsOf, itemsOf, type Json, type JsonObject } from "./json.ts";
import { formatTime, keyOf } from "./kube-object.ts";
import type { KubeStore } from "./kube-store.ts";
import type { AccessAttributes, Authorizer } from "./rbac.ts";
import type { Reply } from "./reply.ts";
import type { RequestInfo } from "./request-info.ts";
import { API_AUDIENCE } from "./service-account-token.ts";
import { invalid, methodNotAllowed, notFound } from "./status-error.ts";
import { authenticated, type UserInfo } from "./user-info.ts";

/** Resources that are only asked: a POST is answered with the body and what was found in `status`. */
export const reviewResources: readonly {
  readonly group: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
}[] = [
  review("authorization.k8s.io", "SelfSubjectAccessReview"),
  review("authorization.k8s.io", "SelfSubjectRulesReview"),
  review("authorization.k8s.io", "SubjectAccessReview"),
  { ...review("authorization.k8s.io", "LocalSubjectAccessReview"), namespaced: true },
  review("authentication.k8s.io", "TokenReview"),
  review("authentication.k8s.io", "SelfSubjectReview"),
];

function review(group: string, kind: string) {
  return { group, resource: `${kind.toLowerCase()}s`, kind, namespaced: false };
}

export interface ReviewContext {
  readonly user: UserInfo;
  readonly store: KubeStore;
  readonly authorizer: Authorizer;
  readonly authenticator: Authenticator;
}

/** Answers reviews and token requests; undefined for everything else. */
export function serveReview(
  context: ReviewContext,
  info: RequestInfo,
  body: string | undefined,
  contentType: string | undefined,
): Reply | undefined {
  const token = info.group === "" && info.resource === "serviceaccounts" && info.subresource === "token";
  const found = reviewResources.find(
    ({ group, resource }) => group === info.group && resource === info.resource,
  );
  if (!token && (!found || info.version !== "v1")) return undefined;
  if (info.method !== "POST") throw methodNotAllowed();
  const kind = found?.kind ?? "TokenRequest";
  const asked = parseObjectBody(body, contentType, kind);
  const spec = fieldsOf(asked.spec);
  const answer = token ? tokenRequest(context, info, spec) : answers[kind]?.(context, spec, info);
  return {
    status: 201,
    body: {
      kind,
      apiVersion: token ? "authentication.k8s.io/v1" : `${info.group}/v1`,
      metadata: fieldsOf(asked.metadata),
      ...(kind === "SelfSubjectReview" ? {} : { spec }),
      ...answer,
    },
  };
}

type Answer = (context: ReviewContext, spec: JsonObject, info: RequestInfo) => JsonObject;

const answers: Readonly<Record<string, Answer>> = {
  SelfSubjectAccessReview: ({ user, authorizer }, spec) => verdict(authorizer, user, spec),
  SubjectAccessReview: ({ authorizer }, spec) => verdict(authorizer, subjectOf(spec), spec),
  LocalSubjectAccessReview: ({ authorizer }, spec) => verdict(authorizer, subjectOf(spec), spec),
  SelfSubjectRulesReview: ({ user, authorizer }, spec) => {
    const rules = authorizer.rulesFor(user, String(spec.namespace ?? ""));
    return {
      status: {
        resourceRules: rules.filter((rule) => rule.resources !== undefined),
        nonResourceRules: rules.filter((rule) => rule.nonResourceURLs !== undefined),
        incomplete: false,
      },
    };
  },
  TokenReview: ({ authenticator }, spec) => {
    const audiences = itemsOf(spec.audiences).map(String);
    const wanted = audiences.length > 0 ? audiences : [API_AUDIENCE];
    const user = authenticator.userOf(String(spec.token ?? ""), wanted);
    if (!user) return { status: { user: {}, error: "invalid bearer token" } };
    return { status: { authenticated: true, user: userJson(user), audiences: wanted } };
  },
  SelfSubjectReview: ({ user }) => ({ status: { userInfo: userJson(user) } }),
};

function verdict(authorizer: Authorizer, user: UserInfo, spec: JsonObject): JsonObject {
  return { status: { allowed: authorizer.allows(user, attributesOf(spec)) } };
}

function attributesOf(spec: JsonObject): AccessAttributes {
  const text = (value: Json | undefined): string | undefined => (value ? String(value) : undefined);
  const { verb, group, resource, subresource, namespace, name } = fieldsOf(spec.resourceAttributes);
  const path = fieldsOf(spec.nonResourceAttributes);
  if (!spec.resourceAttributes) return { verb: String(path.verb ?? ""), path: String(path.path ?? "") };
  return {
    verb: String(verb ?? ""),
    group: String(group ?? ""),
    resource: String(resource ?? "*"),
    subresource: text(subresource),
    namespace: text(namespace),
    name: text(name),
  };
}

function subjectOf(spec: JsonObject): UserInfo {
  return authenticated(String(spec.user ?? ""), itemsOf(spec.groups).map(String));
}

function tokenRequest(context: ReviewContext, info: RequestInfo, spec: JsonObject): JsonObject {
  const { namespace = "", name = "" } = info;
  const account = context.store.table.get("serviceaccounts", keyOf(namespace, name));
  if (!account) throw notFound({ group: "", resource: "serviceaccounts" }, name);
  const seconds = spec.expirationSeconds ?? 3600;
  if (typeof seconds !== "number" || seconds < 600) {
    const message = `Invalid value: ${JSON.stringify(seconds)}: may not specify a duration less than 10 minutes`;
    throw invalid({ group: "authentication.k8s.io", kind: "TokenRequest" }, "", [
      { reason: "FieldValueInvalid", message, field: "spec.expirationSeconds" },
    ]);
  }
  const audiences = itemsOf(spec.audiences).map(String);
  const issued = context.authenticator.serviceAccountTokens.issue({
    namespace,
    name,
    uid: account.metadata.uid ?? "",
    audiences: audiences.length > 0 ? audiences : [API_AUDIENCE],
    expirationSeconds: seconds,
  });
  return { status: { token: issued.token, expirationTimestamp: formatTime(issued.expiresAt) } };
}

/** As reviews and admission show a user. */
export function userJson({ name, uid, groups, extra }: UserInfo): JsonObject {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups: [...groups],
    ...(extra
      ? { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }
      : {}),
  };
}
