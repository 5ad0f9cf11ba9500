/** Who makes a request, as authentication found. */
export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What the client certificate of a connection says: the user is its CN, its groups are its Os. */
export interface PeerIdentity {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

export const anonymous: UserInfo = Object.freeze({
  name: "system:anonymous",
  groups: ["system:unauthenticated"],
});

/** With the group that everybody with a name is in. */
export function authenticated(
  name: string,
  groups: readonly string[],
  rest: Partial<UserInfo> = {},
): UserInfo {
  return { ...rest, name, groups: [...new Set([...groups, "system:authenticated"])] };
}

export function serviceAccountUser(namespace: string, name: string, uid?: string): UserInfo {
  return authenticated(
    `system:serviceaccount:${namespace}:${name}`,
    ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
    uid === undefined ? {} : { uid },
  );
}

/** Namespace and name of a ServiceAccount's user, or undefined. */
export function parseServiceAccountUser(name: string): { namespace: string; name: string } | undefined {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name) ?? [];
  return namespace !== undefined && account !== undefined ? { namespace, name: account } : undefined;
}
