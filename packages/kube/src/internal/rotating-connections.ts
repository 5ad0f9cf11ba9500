import type { ClientRequest, RequestOptions } from "node:http";
import { KubeError } from "../error.ts";
import type { KubeConfig } from "../kube-config.ts";
import type { Logger } from "../logger.ts";
import type { TlsMaterial, TlsMaterialSource } from "../tls-material.ts";
import type { KubeRequest } from "../transport.ts";
import { type ConnectionOptions, type Connections, createConnections } from "./connections.ts";
import { createMaterialFiles, digestOf } from "./material-files.ts";

/** What a request is sent over. */
interface ConnectionLease {
  readonly digest: string;
  readonly open: (options: RequestOptions) => ClientRequest;
  readonly dropIdle: () => void;
}

/** Connections with the certificates there are now; those made with earlier ones are drained. */
export interface RotatingConnections {
  /** `own` goes before the certificate of the configuration. Rejects with ERR_KUBE_CONFIG when none can be used. */
  take(own: ClientCertificate | undefined, request: Pick<KubeRequest, "path">): Promise<ConnectionLease>;
  /** Looks at the files now: whether connections would be made with other certificates than those of `digest`. */
  changed(digest: string): Promise<boolean>;
  close(): Promise<void>;
}

interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface RotatingConnectionsOptions extends ConnectionOptions {
  readonly logger: Logger;
  readonly source: TlsMaterialSource | undefined;
}

export function createRotatingConnections(
  config: KubeConfig,
  options: RotatingConnectionsOptions,
): RotatingConnections {
  const { clock, logger, source } = options;
  const files = createMaterialFiles(config.tls, clock);
  /** Of certificates before the current ones, while requests are under way on them. */
  let drained: Connections[] = [];
  let current: Connections | undefined;
  let lastOwn: ClientCertificate | undefined;
  /** Of material that cannot be used, so that it is looked at once. */
  let refusedDigest: string | undefined;
  let complaint: string | undefined;

  return {
    async take(own, { path }) {
      lastOwn = own;
      const { digest, request, requestWatch, dropIdle } = await bring({ anew: false });
      return { digest, open: /[?&]watch=(true|1)\b/.test(path) ? requestWatch : request, dropIdle };
    },
    async changed(digest) {
      return (await bring({ anew: true })).digest !== digest;
    },
    async close() {
      for (const connections of drained) connections.destroy();
      current?.destroy();
    },
  };

  async function bring({ anew }: { readonly anew: boolean }): Promise<Connections> {
    try {
      const material = await read(anew);
      const known = material.digest === current?.digest || material.digest === refusedDigest;
      return known && current !== undefined ? current : replace(material);
    } catch (error) {
      if (current === undefined) throw named(error);
      complain(error);
      return current;
    }
  }

  async function read(anew: boolean): Promise<TlsMaterial> {
    const material = source === undefined ? await files.read({ anew }) : source.current();
    if (lastOwn === undefined) return material;
    const { cert, key } = lastOwn;
    return { ca: material.ca, cert, key, digest: digestOf(material.digest, cert, key) };
  }

  function replace(material: TlsMaterial): Connections {
    refusedDigest = material.digest;
    const next = createConnections(config, material, options);
    refusedDigest = undefined;
    complaint = undefined;
    if (current !== undefined) {
      logger.info({ server: config.server }, "TLS material has changed; connections are made anew");
      current.retire();
      drained = [...drained, current].filter(({ inUse }) => inUse());
    }
    current = next;
    return next;
  }

  /** Once for each thing that is wrong, and not at every request. */
  function complain(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message === complaint) return;
    complaint = message;
    logger.warn(
      { err: error, server: config.server },
      "TLS material cannot be used; keeping the previous one",
    );
  }

  function named(error: unknown): unknown {
    if (!(error instanceof KubeError)) return error;
    return new KubeError(error.code, `${config.origin}: ${error.message}`, { cause: error });
  }
}
