import type { KubeConfig } from "../kube-config.ts";
import { bearer, type Credential, type Credentials } from "./credential.ts";
import { createExecCredentials, type ExecOptions } from "./exec-credentials.ts";
import { createTokenFile } from "./token-file.ts";

/** The first of what the configuration holds: token file, token, password, plugin. */
export function createCredentials(
  { user, tls, origin }: KubeConfig,
  options: Omit<ExecOptions, "ca">,
): Credentials {
  const { tokenFile, token, username, password, exec } = user;
  if (tokenFile !== undefined) return createTokenFile(tokenFile, options);
  if (token !== undefined) return unchanging({ authorization: bearer(token, origin) });
  if (username !== undefined) {
    const pair = Buffer.from(`${username}:${password ?? ""}`).toString("base64");
    return unchanging({ authorization: `Basic ${pair}` });
  }
  if (exec !== undefined) return createExecCredentials(exec, { ...options, ca: tls.ca });
  return unchanging({});
}

function unchanging(credential: Credential): Credentials {
  return { current: async () => credential, renew: async () => false, close: async () => {} };
}
