import { type TypedOption, usageError, z } from "@newleaf/daemon";
import { type Authorizer, allow, RotationError } from "@newleaf/rotation";

const names = z.array(z.string().min(1)).default([]);

/** Who may ask for secrets over TCP; one of them is required there. */
export const allowOptions: {
  readonly [K in keyof AllowConfig]: TypedOption<AllowConfig[K]>;
} = {
  allowDns: {
    flag: "--allow-dns <name>",
    description: "over TCP, let in Envoys with this DNS name (`*.shop.svc` for any one label)",
    schema: names,
    repeatable: true,
  },
  allowUri: {
    flag: "--allow-uri <uri>",
    description: "over TCP, let in Envoys with this URI name",
    schema: names,
    repeatable: true,
  },
  allowSpiffeId: {
    flag: "--allow-spiffe-id <id>",
    description: "over TCP, let in Envoys with this SPIFFE ID (`spiffe://domain/*` for all below)",
    schema: names,
    repeatable: true,
  },
  allowAny: {
    flag: "--allow-any",
    description: "over TCP, let in every Envoy whose certificate verifies",
    schema: z.boolean(),
    default: false,
  },
};

export interface AllowConfig {
  readonly allowDns: readonly string[];
  readonly allowUri: readonly string[];
  readonly allowSpiffeId: readonly string[];
  readonly allowAny: boolean;
}

/** The authorizer that the flags ask for; undefined without any. */
export function authorizerOf({
  allowDns,
  allowUri,
  allowSpiffeId,
  allowAny,
}: AllowConfig): Authorizer | undefined {
  const named = readable(() => [
    ...(allowDns.length > 0 ? [allow.dns(...allowDns)] : []),
    ...(allowUri.length > 0 ? [allow.uri(...allowUri)] : []),
    ...(allowSpiffeId.length > 0 ? [allow.spiffeId(...allowSpiffeId)] : []),
  ]);
  if (allowAny && named.length > 0) {
    throw usageError(
      "--allow-any makes the other --allow options meaningless",
      "give either the names or --allow-any",
    );
  }
  if (allowAny) return allow.any();
  return named.length > 0 ? allow.oneOf(...named) : undefined;
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RotationError && error.code === "ERR_ROTATION_OPTIONS")
      throw usageError(error.message);
    throw error;
  }
}
