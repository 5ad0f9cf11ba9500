import { createHmac, timingSafeEqual } from "node:crypto";
import { fieldsOf, itemsOf, type JsonObject } from "./json.ts";
import type { KubeStore, StoreClock } from "./kube-store.ts";
import { serviceAccountUser, type UserInfo } from "./user-info.ts";

/** What tokens are for when nothing is said; what the API server itself takes. */
export const API_AUDIENCE = "https://kubernetes.default.svc";

export interface ServiceAccountTokens {
  issue(of: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly audiences: readonly string[];
    readonly expirationSeconds: number;
  }): { readonly token: string; readonly expiresAt: number };
  /** The account of a token that is signed by us, for one of the audiences, not expired, and whose account still exists. */
  verify(token: string, audiences?: readonly string[]): UserInfo | undefined;
  rotateKey(): void;
}

/** JWTs as ServiceAccounts have them, except that they are signed with HMAC: nobody but this server verifies them. */
export function createServiceAccountTokens(options: {
  readonly store: KubeStore;
  readonly clock: StoreClock;
  readonly random: () => number;
}): ServiceAccountTokens {
  const { store, clock, random } = options;
  const newKey = (): Buffer => Buffer.from(Array.from({ length: 32 }, () => Math.floor(random() * 256)));
  let key = newKey();
  const signature = (text: string): Buffer => createHmac("sha256", key).update(text).digest();

  return {
    issue({ namespace, name, uid, audiences, expirationSeconds }) {
      const issuedAt = Math.floor(clock.now() / 1000);
      const expiresAt = issuedAt + expirationSeconds;
      const claims = {
        aud: [...audiences],
        exp: expiresAt,
        iat: issuedAt,
        nbf: issuedAt,
        iss: API_AUDIENCE,
        jti: Math.floor(random() * 2 ** 48).toString(16),
        "kubernetes.io": { namespace, serviceaccount: { name, uid } },
        sub: `system:serviceaccount:${namespace}:${name}`,
      };
      const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
      return { token: `${text}.${signature(text).toString("base64url")}`, expiresAt: expiresAt * 1000 };
    },
    verify(token, audiences = [API_AUDIENCE]) {
      const [header = "", payload = "", given = ""] = token.split(".");
      const expected = signature(`${header}.${payload}`);
      const found = Buffer.from(given, "base64url");
      if (found.length !== expected.length || !timingSafeEqual(found, expected)) return undefined;
      const claims = fieldsOf(JSON.parse(Buffer.from(payload, "base64url").toString()));
      if (Number(claims.exp) * 1000 <= clock.now()) return undefined;
      if (!itemsOf(claims.aud).some((audience) => audiences.includes(String(audience)))) return undefined;
      const { namespace, serviceaccount } = fieldsOf(claims["kubernetes.io"]);
      const { name, uid } = fieldsOf(serviceaccount);
      const account = store.get("serviceaccounts", String(namespace), String(name));
      return account && account.metadata.uid === uid
        ? serviceAccountUser(String(namespace), String(name), String(uid))
        : undefined;
    },
    rotateKey: () => {
      key = newKey();
    },
  };
}

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
