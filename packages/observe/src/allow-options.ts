import { checkedTexts, type TypedOption, usageError, z } from "@newleaf/daemon";
import { type Authorizer, allow } from "@newleaf/rotation";

type Names = z.ZodType<readonly string[]>;

export const dnsNames: Names = checkedTexts((name) => allow.dns(name), {
  problem: "is not a DNS name",
  hint: "write it as frontend.shop.svc, or *.shop.svc for any one label",
});

export const uriNames: Names = checkedTexts((uri) => allow.uri(uri), {
  problem: "is not a URI name",
  hint: "write it as spiffe://shop/frontend, or spiffe://shop/* for all below",
});

const spiffeIds: Names = checkedTexts((id) => allow.spiffeId(id), {
  problem: "is not a SPIFFE ID",
  hint: "write it as spiffe://shop/frontend, or spiffe://shop/* for all below",
});

/** The flags that say which clients are let in. */
export const allowOptions: { readonly [K in keyof AllowConfig]: TypedOption<AllowConfig[K]> } = {
  allowDns: {
    flag: "--allow-dns <name>",
    description: "let in clients with this DNS name (`*.shop.svc` for any one label)",
    schema: dnsNames,
    repeatable: true,
  },
  allowUri: {
    flag: "--allow-uri <uri>",
    description: "let in clients with this URI name",
    schema: uriNames,
    repeatable: true,
  },
  allowSpiffeId: {
    flag: "--allow-spiffe-id <id>",
    description:
      "let in clients with this SPIFFE ID (`spiffe://domain/path`, or `spiffe://domain/*` for all below)",
    schema: spiffeIds,
    repeatable: true,
  },
  allowCn: {
    flag: "--allow-cn <name>",
    description: "let in clients with this common name, the only one in their subject",
    schema: z.array(z.string().min(1)).default([]),
    repeatable: true,
  },
  allowAny: {
    flag: "--allow-any",
    description: "let in every client whose certificate verifies",
    schema: z.boolean(),
    default: false,
  },
};

export interface AllowConfig {
  readonly allowDns: readonly string[];
  readonly allowUri: readonly string[];
  readonly allowSpiffeId: readonly string[];
  readonly allowCn: readonly string[];
  readonly allowAny: boolean;
}

/** The authorizer that the flags ask for. A usage error without any: nobody lets everyone in by accident. */
export function requiredAuthorizer(config: AllowConfig): Authorizer {
  const authorizer = authorizerOf(config);
  if (authorizer) return authorizer;
  throw usageError(
    "nobody would be let in: no client is allowed",
    "name the clients with --allow-dns, --allow-uri, --allow-spiffe-id or --allow-cn, or say --allow-any",
  );
}

/** The same where there may be none: undefined without any flag. */
export function authorizerOf(config: AllowConfig): Authorizer | undefined {
  const { allowDns, allowUri, allowSpiffeId, allowCn, allowAny } = config;
  const named = [
    ...(allowDns.length > 0 ? [allow.dns(...allowDns)] : []),
    ...(allowUri.length > 0 ? [allow.uri(...allowUri)] : []),
    ...(allowSpiffeId.length > 0 ? [allow.spiffeId(...allowSpiffeId)] : []),
    ...(allowCn.length > 0 ? [allow.commonName(...allowCn)] : []),
  ];
  if (allowAny && named.length > 0) {
    throw usageError(
      "--allow-any makes the other --allow options meaningless",
      "give either the names or --allow-any",
    );
  }
  if (allowAny) return allow.any();
  return named.length > 0 ? allow.oneOf(...named) : undefined;
}
