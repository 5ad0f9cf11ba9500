import { cpus, loadavg, totalmem, type } from "node:os";

/** What a figure depends on and its reader has to know. */
export function describeMachine(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cpus: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: type(),
    node: process.versions.node,
    openssl: process.versions.openssl,
    load: Number(loadavg()[0]?.toFixed(2)),
  };
}
