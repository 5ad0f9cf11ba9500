import { createFilePublisher, type FileSet, type Logger, runChild } from "@newleaf/daemon";
import {
  type Consumer,
  type Generation,
  proveServed,
  type SignalConsumerOptions,
  signalProcess,
} from "@newleaf/rotation";
import { encodeCertificates } from "@newleaf/x509";
import type { OutputConfig } from "./output-options.ts";

const names: readonly string[] = ["ca.crt", "tls.key", "tls.crt"];

/**
 * Writes each generation, tells the process, and looks whether it is served. Telling is part of the proof: what is on
 * disk stays there whether or not anybody can be told, and telling is repeated until it is served.
 */
export function createFilesConsumer(config: OutputConfig, logger: Logger): Consumer {
  const { out: directory, publish: how, verify: targets } = config;
  const publisher = createFilePublisher({
    ...{ directory, how, owner: undefined },
    words: { directory: "--out", plainFiles: "--publish files" },
    groupOf: (name) => (names.includes(name) ? "certificate" : undefined),
  });
  const process = processOf(config);
  let written = 0;
  return {
    name: "files",
    async load(generation) {
      const { number, identity, notAfter } = generation;
      if (written === number) return;
      await publisher.publish("certificate", filesOf(generation, config.keyMode));
      written = number;
      logger.info({ directory, generation: number, identity, notAfter }, "certificate files written");
    },
    ...((process !== undefined || config.exec !== undefined || targets.length > 0) && {
      async prove(generation: Generation, signal: AbortSignal) {
        if (process !== undefined) {
          await signalProcess(process, config.signal);
          logger.info({ signal: config.signal }, "process told of the new certificate");
        }
        if (config.exec !== undefined) {
          await runChild(config.exec, AbortSignal.any([signal, AbortSignal.timeout(config.execTimeout)]));
          logger.info({ command: config.exec[0] }, "command told of the new certificate");
        }
        if (targets.length === 0) return [];
        return proveServed(targets, generation, {
          signal,
          withinMs: config.verifyTimeout,
          ...(config.verifyName !== undefined && { servername: config.verifyName }),
        });
      },
    }),
  };
}

/** As the Secret has them; what others depend on first. */
function filesOf({ leaf, chain, key, trust }: Generation, keyMode: number): FileSet {
  return new Map([
    ["ca.crt", { content: encodeCertificates(trust.certificates), mode: 0o644 }],
    ["tls.key", { content: key.export({ format: "pem", type: "pkcs8" }), mode: keyMode }],
    ["tls.crt", { content: encodeCertificates([leaf, ...chain]), mode: 0o644 }],
  ]);
}

function processOf({ pid, pidFile }: OutputConfig): SignalConsumerOptions["process"] | undefined {
  if (pidFile !== undefined) return { pidFile };
  return pid === undefined ? undefined : { pid: () => pid };
}
