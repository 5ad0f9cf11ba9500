import type { Logger } from "@newleaf/daemon";
import { type IdentitySource, watchFiles } from "@newleaf/rotation";

/** The identity in a directory with the names that Kubernetes gives the files. */
export function watchCertificates(
  directory: string,
  options: { readonly signal: AbortSignal; readonly logger: Logger; readonly firstTimeoutMs?: number },
): Promise<IdentitySource> {
  return watchFiles({ directory, persistent: false, ...options });
}
