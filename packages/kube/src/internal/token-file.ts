import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { Logger } from "../logger.ts";
import { bearer, type Credential, type Credentials } from "./credential.ts";
import { readBounded } from "./read-bounded.ts";

const REREAD_MS = 60_000;
const MAX_BYTES = 2 ** 20;

/** A token in a file that its owner rewrites. A file that cannot be read any more leaves the last token in use. */
export function createTokenFile(
  path: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Credentials {
  let credential: Credential | undefined;
  let readAt = 0;
  let reading: Promise<Credential> | undefined;

  return {
    current: () =>
      credential === undefined || clock.monotonic() - readAt >= REREAD_MS
        ? read()
        : Promise.resolve(credential),
    async renew(refused) {
      return credential !== refused || (await read()) !== refused;
    },
    close: async () => {},
  };

  function read(): Promise<Credential> {
    reading ??= load().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  async function load(): Promise<Credential> {
    readAt = clock.monotonic();
    try {
      const authorization = bearer(await readBounded(path, MAX_BYTES), `token file ${path}`);
      if (credential?.authorization !== authorization) credential = { authorization };
      return credential;
    } catch (cause) {
      const why = cause instanceof KubeError ? cause : unreadable(path, cause);
      if (credential === undefined) throw why;
      logger.warn({ err: why, path }, "token file cannot be used; keeping the previous token");
      return credential;
    }
  }
}

function unreadable(path: string, cause: unknown): KubeError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
  return new KubeError("ERR_KUBE_CONFIG", `token file ${path} cannot be read: ${code}`, { cause });
}
