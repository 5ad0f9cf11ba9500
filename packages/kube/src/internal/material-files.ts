import { createHash } from "node:crypto";
import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { KubeTls, Pem } from "../kube-config.ts";
import type { TlsMaterial } from "../tls-material.ts";
import { readBounded } from "./read-bounded.ts";

const CHECK_MS = 5_000;
const MAX_BYTES = 4 * 2 ** 20;

/** TLS material that is looked at again, at most every few seconds, when it stands in files. */
export interface MaterialFiles {
  /** `anew` looks at the files whatever the time. Rejects with ERR_KUBE_CONFIG when they cannot be read. */
  read(options?: { readonly anew?: boolean }): Promise<TlsMaterial>;
}

export function createMaterialFiles(tls: KubeTls, clock: Clock): MaterialFiles {
  const changes = [tls.ca, tls.cert, tls.key].some((pem) => pem !== undefined && "file" in pem);
  let last: { readonly material: Promise<TlsMaterial>; readonly at: number } | undefined;

  return {
    read({ anew = false } = {}) {
      const now = clock.monotonic();
      const current = last !== undefined && (!changes || (!anew && now - last.at < CHECK_MS));
      if (!current) last = { material: load(tls), at: now };
      return last?.material ?? load(tls);
    },
  };
}

async function load(tls: KubeTls): Promise<TlsMaterial> {
  const [ca, cert, key] = await Promise.all([read(tls.ca), read(tls.cert), read(tls.key)]);
  return { ca, cert, key, digest: digestOf(ca, cert, key) };
}

export function digestOf(...parts: readonly (string | undefined)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part?.length ?? "-"}:${part ?? ""};`);
  return hash.digest("base64url");
}

async function read(pem: Pem | undefined): Promise<string | undefined> {
  if (pem === undefined) return undefined;
  if ("pem" in pem) return pem.pem;
  return readBounded(pem.file, MAX_BYTES).catch((cause: NodeJS.ErrnoException) => {
    if (cause instanceof KubeError) throw cause;
    throw new KubeError("ERR_KUBE_CONFIG", `${pem.file} cannot be read: ${cause.code ?? "unknown"}`, {
      cause,
    });
  });
}
