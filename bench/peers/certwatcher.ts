import { goEnvironment, goServerFlags } from "./go-program.ts";
import { freePort, locate, type Peer, type PeerOptions, reportedVersion, startProcess } from "./peer.ts";

export interface CertwatcherOptions extends PeerOptions {
  /** The poll beside the watch: 10 s unless given, as controller-runtime has it. */
  readonly watchIntervalMs?: number | undefined;
}

/** controller-runtime's certwatcher: watches certificate and key by itself, and reads the client CA once. */
export async function startCertwatcher(options: CertwatcherOptions): Promise<Peer> {
  const { workDirectory, pinCpu, watchIntervalMs } = options;
  const program = await locate("NEWLEAF_CERTWATCHER");
  const port = await freePort();
  const { pid, stop } = await startProcess({
    name: "certwatcher",
    program,
    args: [
      ...goServerFlags(options, port),
      ...(watchIntervalMs === undefined ? [] : [`--watch-interval=${watchIntervalMs}ms`]),
    ],
    env: goEnvironment(pinCpu),
    port,
    workDirectory,
    pinCpu,
  });
  return {
    name: "certwatcher",
    version: await reportedVersion(program, ["--version"], /v(\S+)/),
    pid,
    port,
    stop,
  };
}
