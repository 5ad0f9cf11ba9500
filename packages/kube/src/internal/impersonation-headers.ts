import { KubeError } from "../error.ts";
import type { Impersonation } from "../kube-config.ts";

/** The headers by which the API server takes us for somebody else, where we may. ERR_KUBE_CONFIG for what none can hold. */
export function impersonationHeaders(
  of: Impersonation | undefined,
): Readonly<Record<string, string | readonly string[]>> {
  const { userName, uid, groups = [], extra = {} } = of ?? {};
  const extras = Object.entries(extra).map(
    ([key, values]) =>
      [`impersonate-extra-${encodeURIComponent(key.toLowerCase())}`, values.map(inOctets)] as const,
  );
  return {
    ...(userName !== undefined && { "impersonate-user": inOctets(userName) }),
    ...(uid !== undefined && { "impersonate-uid": inOctets(uid) }),
    ...(groups.length > 0 && { "impersonate-group": groups.map(inOctets) }),
    ...Object.fromEntries(extras),
  };
}

/** Names are UTF-8 to the API server, and headers are Latin-1 to Node.js: each character stands for one octet. */
function inOctets(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) {
    throw new KubeError(
      "ERR_KUBE_CONFIG",
      `impersonation of ${JSON.stringify(value)}: no header can hold that`,
    );
  }
  return Buffer.from(value).toString("latin1");
}
