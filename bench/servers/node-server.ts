import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, type Peer, type PeerOptions, reportedVersion, startProcess } from "../peers/peer.ts";

export interface NodeServerOptions extends PeerOptions {
  readonly program: "newleaf" | "plain";
  /** The Node that runs it. */
  readonly node: string;
  readonly nodeArgs?: readonly string[];
}

/** One of the programs of this folder, as a peer among the others. */
export async function startNodeServer(options: NodeServerOptions): Promise<Peer> {
  const { program, node, nodeArgs = [], directory, workDirectory, pinCpu } = options;
  const port = await freePort();
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const script = join(import.meta.dirname, `${program}.ts`);
  const { pid, stop } = await startProcess({
    name: program,
    program: node,
    args: [...nodeArgs, "--import", tsx, script, "--directory", directory, "--port", String(port)],
    port,
    workDirectory,
    pinCpu,
  });
  return {
    name: program,
    version: await reportedVersion(node, ["--version"], /^v(\S+)/),
    pid,
    port,
    stop,
  };
}
