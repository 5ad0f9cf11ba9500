import { type Authorizer, denial } from "./rbac.ts";
import { badRequest, forbidden } from "./status-error.ts";
import { authenticated, parseServiceAccountUser, serviceAccountUser, type UserInfo } from "./user-info.ts";

/** Who a request is to be treated as of: by the `Impersonate-` headers, when the user may; throws Forbidden. */
export function impersonate(
  authorizer: Authorizer,
  user: UserInfo,
  headers: Readonly<Record<string, string | undefined>>,
): UserInfo {
  const name = headers["impersonate-user"];
  if (!name) {
    if (!headers["impersonate-group"]) return user;
    throw badRequest("requested groups without impersonating a user");
  }
  const groups = (headers["impersonate-group"] ?? "")
    .split(",")
    .map((group) => group.trim())
    .filter(Boolean);
  const account = parseServiceAccountUser(name);
  check(authorizer, user, account ? "serviceaccounts" : "users", account?.name ?? name, account?.namespace);
  for (const group of groups) check(authorizer, user, "groups", group, undefined);
  if (account && groups.length === 0) return serviceAccountUser(account.namespace, account.name);
  return authenticated(name, groups);
}

function check(
  authorizer: Authorizer,
  user: UserInfo,
  resource: string,
  name: string,
  namespace: string | undefined,
): void {
  const attributes = { verb: "impersonate", group: "", resource, name, namespace };
  if (authorizer.allows(user, attributes)) return;
  throw forbidden({ group: "", resource }, name, denial(user, attributes));
}
