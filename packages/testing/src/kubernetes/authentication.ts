import type { KubeStore, StoreClock } from "./kube-store.ts";
import { createServiceAccountTokens, type ServiceAccountTokens } from "./service-account-token.ts";
import { StatusError } from "./status-error.ts";
import {
  anonymous,
  authenticated,
  type PeerIdentity,
  parseServiceAccountUser,
  serviceAccountUser,
  type UserInfo,
} from "./user-info.ts";

export interface Authenticator {
  readonly serviceAccountTokens: ServiceAccountTokens;
  /** By bearer token, or else by client certificate, or else anonymous; throws Unauthorized for a token it does not know. */
  authenticate(
    headers: Readonly<Record<string, string | undefined>>,
    peer: PeerIdentity | undefined,
  ): UserInfo;
  /** Who a token is of, for TokenReview. */
  userOf(token: string, audiences?: readonly string[]): UserInfo | undefined;
  /** A static token of this user: the same one until they are rotated. */
  token(user: string): string;
  /** No token that was given out is good any more. */
  rotateTokens(): void;
}

export function createAuthenticator(options: {
  readonly store: KubeStore;
  readonly clock: StoreClock;
  readonly random: () => number;
  /** Groups of users that have any. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}): Authenticator {
  const { random, groups } = options;
  const tokens = new Map<string, string>();
  const users = new Map<string, UserInfo>();
  const serviceAccountTokens = createServiceAccountTokens(options);

  const self: Authenticator = {
    serviceAccountTokens,
    authenticate(headers, peer) {
      const bearer = /^bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? "")?.[1];
      if (bearer !== undefined) {
        const user = self.userOf(bearer);
        if (!user) throw unauthorized();
        return user;
      }
      if (headers.authorization) throw unauthorized();
      return peer ? authenticated(peer.commonName, peer.organizations) : anonymous;
    },
    userOf: (token, audiences) => users.get(token) ?? serviceAccountTokens.verify(token, audiences),
    token(user) {
      const known = tokens.get(user);
      if (known !== undefined) return known;
      const token = `test-${Array.from({ length: 4 }, () => random().toString(36).slice(2, 10)).join("")}`;
      const account = parseServiceAccountUser(user);
      tokens.set(user, token);
      users.set(
        token,
        account
          ? serviceAccountUser(account.namespace, account.name)
          : authenticated(user, groups[user] ?? []),
      );
      return token;
    },
    rotateTokens() {
      tokens.clear();
      users.clear();
      serviceAccountTokens.rotateKey();
    },
  };
  return self;
}

function unauthorized(): StatusError {
  return new StatusError(401, "Unauthorized", "Unauthorized");
}
