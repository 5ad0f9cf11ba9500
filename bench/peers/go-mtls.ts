import { goEnvironment, goServerFlags } from "./go-program.ts";
import { freePort, locate, type Peer, type PeerOptions, reportedVersion, startProcess } from "./peer.ts";

/** net/http with files read once: the baseline of handshakes, not of rotation. */
export async function startGoMtls(options: PeerOptions): Promise<Peer> {
  const { workDirectory, pinCpu } = options;
  const program = await locate("NEWLEAF_GO_MTLS");
  const port = await freePort();
  const { pid, stop } = await startProcess({
    name: "go-mtls",
    program,
    args: goServerFlags(options, port),
    env: goEnvironment(pinCpu),
    port,
    workDirectory,
    pinCpu,
  });
  return {
    name: "go-mtls",
    version: await reportedVersion(program, ["--version"], /^go(\S+)/),
    pid,
    port,
    stop,
  };
}
