import { checkedTexts, type z } from "@newleaf/daemon";
import { type Authorizer, allow } from "@newleaf/rotation";

type Names = z.ZodType<readonly string[]>;

export const expectDns: Names = checkedTexts((name) => allow.dns(name), {
  problem: "is not a DNS name",
  hint: "write it as backend.shop.svc, or *.shop.svc for any one label",
});

export const expectUri: Names = checkedTexts((uri) => allow.uri(uri), {
  problem: "is not a URI name",
  hint: "write it as spiffe://shop/backend, or spiffe://shop/* for all below",
});

/** Whom `--expect-dns` and `--expect-uri` take the server to be; undefined where its host name decides. */
export function expectedServer(config: {
  readonly expectDns: readonly string[];
  readonly expectUri: readonly string[];
}): Authorizer | undefined {
  const { expectDns, expectUri } = config;
  const expected = [
    ...(expectDns.length > 0 ? [allow.dns(...expectDns)] : []),
    ...(expectUri.length > 0 ? [allow.uri(...expectUri)] : []),
  ];
  return expected.length > 0 ? allow.oneOf(...expected) : undefined;
}
