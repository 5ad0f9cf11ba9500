import { usageError, z } from "@newleaf/daemon";
import { type Authorizer, allow, RotationError } from "@newleaf/rotation";
import type { OptionsOf } from "./options-of.ts";

const names = z.array(z.string().min(1)).default([]);

/** The flags that say which clients are let in; one of them is required. */
export const allowOptions: OptionsOf<AllowConfig> = {
  allowDns: {
    flag: "--allow-dns <name>",
    description: "let in clients with this DNS name (`*.shop.svc` for any one label)",
    schema: names,
    repeatable: true,
  },
  allowUri: {
    flag: "--allow-uri <uri>",
    description: "let in clients with this URI name",
    schema: names,
    repeatable: true,
  },
  allowSpiffeId: {
    flag: "--allow-spiffe-id <id>",
    description:
      "let in clients with this SPIFFE ID (`spiffe://domain/path`, or `spiffe://domain/*` for all below)",
    schema: names,
    repeatable: true,
  },
  allowCn: {
    flag: "--allow-cn <name>",
    description: "let in clients with this common name, the only one in their subject",
    schema: names,
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
export function authorizerOf(config: AllowConfig): Authorizer {
  const { allowDns, allowUri, allowSpiffeId, allowCn, allowAny } = config;
  const named = readable(() => [
    ...(allowDns.length > 0 ? [allow.dns(...allowDns)] : []),
    ...(allowUri.length > 0 ? [allow.uri(...allowUri)] : []),
    ...(allowSpiffeId.length > 0 ? [allow.spiffeId(...allowSpiffeId)] : []),
    ...(allowCn.length > 0 ? [allow.commonName(...allowCn)] : []),
  ]);
  if (allowAny && named.length > 0) {
    throw usageError(
      "--allow-any makes the other --allow options meaningless",
      "give either the names or --allow-any",
    );
  }
  if (allowAny) return allow.any();
  if (named.length === 0) {
    throw usageError(
      "nobody would be let in: no client is allowed",
      "name the clients with --allow-dns, --allow-uri, --allow-spiffe-id or --allow-cn, or say --allow-any",
    );
  }
  return allow.oneOf(...named);
}

/** A pattern that cannot be used is bad usage, not a failure of this program. */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RotationError && error.code === "ERR_ROTATION_OPTIONS")
      throw usageError(error.message);
    throw error;
  }
}
