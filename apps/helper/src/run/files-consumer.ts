import type { FilePublisher, Logger } from "@newleaf/daemon";
import type { Consumer, Generation } from "@newleaf/rotation";
import type { X509Bundles, X509Svid } from "@newleaf/spiffe";
import type { FilesConfig } from "../config/files-config.ts";
import type { WrittenGate } from "../reload/told-consumer.ts";
import { renderX509 } from "../write/render-x509.ts";
import type { WriteStatuses } from "./write-statuses.ts";

export interface FilesConsumerOptions {
  readonly files: FilesConfig;
  readonly publisher: FilePublisher;
  readonly statuses: WriteStatuses;
  readonly logger: Logger;
  /** What the source has now. */
  readonly current: () => { readonly svid: X509Svid; readonly bundles: X509Bundles };
}

/** Writes each generation to disk. The first consumer: the others are told of what it has written. */
export interface FilesConsumer extends Consumer {
  /** Resolves once this generation, or a later one, is on disk. */
  readonly written: WrittenGate;
}

export function createFilesConsumer(options: FilesConsumerOptions): FilesConsumer {
  const { files, publisher, statuses, logger } = options;
  const waiting = new Set<() => void>();
  let newest = 0;
  return {
    name: "files",
    async load(generation) {
      // The files stay when an identity is taken away: what uses them must not fail to start before it expires.
      if (generation.withdrawn === undefined) {
        try {
          const { svid, bundles } = options.current();
          await publisher.publish("x509", renderX509(svid, bundles, files, new Date()));
          statuses.x509 = "written";
        } catch (error) {
          statuses.x509 = "failed";
          const message = error instanceof Error ? error.message : String(error);
          logger.error({ error: message, generation: generation.number }, "X.509 files not written");
          throw error;
        }
        const { number, identity, notAfter } = generation;
        logger.info({ generation: number, identity, notAfter }, "X.509 files written");
      }
      newest = Math.max(newest, generation.number);
      for (const wake of waiting) wake();
    },
    async written({ number }: Generation, signal: AbortSignal) {
      while (newest < number) {
        signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            signal.removeEventListener("abort", wake);
            resolve();
          };
          waiting.add(wake);
          signal.addEventListener("abort", wake, { once: true });
        });
      }
    },
  };
}
