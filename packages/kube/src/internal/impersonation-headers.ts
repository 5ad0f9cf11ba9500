import type { Impersonation } from "../kube-config.ts";

/** The headers by which the API server takes us for somebody else, where we may. */
export function impersonationHeaders(
  of: Impersonation | undefined,
): Readonly<Record<string, string | readonly string[]>> {
  const { userName, uid, groups = [], extra = {} } = of ?? {};
  const extras = Object.entries(extra).map(
    ([key, values]) => [`impersonate-extra-${encodeURIComponent(key.toLowerCase())}`, values] as const,
  );
  return {
    ...(userName !== undefined && { "impersonate-user": userName }),
    ...(uid !== undefined && { "impersonate-uid": uid }),
    ...(groups.length > 0 && { "impersonate-group": groups }),
    ...Object.fromEntries(extras),
  };
}
