import { usageError } from "@newleaf/daemon";
import { type Authorizer, allow, RotationError } from "@newleaf/rotation";

/** Whom `--expect-dns` and `--expect-uri` take the server to be; undefined where its host name decides. */
export function expectedServer(config: {
  readonly expectDns: readonly string[];
  readonly expectUri: readonly string[];
}): Authorizer | undefined {
  const { expectDns, expectUri } = config;
  try {
    const expected = [
      ...(expectDns.length > 0 ? [allow.dns(...expectDns)] : []),
      ...(expectUri.length > 0 ? [allow.uri(...expectUri)] : []),
    ];
    return expected.length > 0 ? allow.oneOf(...expected) : undefined;
  } catch (error) {
    if (error instanceof RotationError) throw usageError(error.message);
    throw error;
  }
}
