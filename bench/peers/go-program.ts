import { join } from "node:path";
import type { PeerOptions } from "./peer.ts";

/** The Go runtime uses as many threads as it may run on CPUs, unless told; a pinned peer is told. */
export function goEnvironment(pinCpu: number | undefined): Record<string, string> {
  return pinCpu === undefined ? {} : { GOMAXPROCS: "1" };
}

/** The flags that our two Go programs share. */
export function goServerFlags({ directory }: Pick<PeerOptions, "directory">, port: number): string[] {
  return [
    `--listen=127.0.0.1:${port}`,
    `--cert=${join(directory, "tls.crt")}`,
    `--key=${join(directory, "tls.key")}`,
    `--ca=${join(directory, "ca.crt")}`,
  ];
}
