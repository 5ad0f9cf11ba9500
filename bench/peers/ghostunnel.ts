import { join } from "node:path";
import { goEnvironment } from "./go-program.ts";
import { freePort, locate, type Peer, type PeerOptions, reportedVersion, startProcess } from "./peer.ts";

/**
 * ghostunnel before a plaintext go-mtls that says hello. It reads its files at SIGHUP. The backend is a process
 * of its own and never pinned, so that neither the peer's CPU nor the caller's event loop carries it.
 */
export async function startGhostunnel(options: PeerOptions): Promise<Peer> {
  const { directory, workDirectory, pinCpu } = options;
  const [program, backendProgram] = await Promise.all([
    locate("NEWLEAF_GHOSTUNNEL"),
    locate("NEWLEAF_GO_MTLS"),
  ]);
  const version = await reportedVersion(program, ["--version"], /rev (\S+)/);
  const [port, backendPort] = [await freePort(), await freePort()];
  const backend = await startProcess({
    name: "ghostunnel-backend",
    program: backendProgram,
    args: ["--plaintext", `--listen=127.0.0.1:${backendPort}`],
    env: { GOMAXPROCS: "1" },
    port: backendPort,
    workDirectory,
  });
  try {
    const { pid, signal, stop } = await startProcess({
      name: "ghostunnel",
      program,
      args: [
        "server",
        `--listen=127.0.0.1:${port}`,
        `--target=127.0.0.1:${backendPort}`,
        `--cert=${join(directory, "tls.crt")}`,
        `--key=${join(directory, "tls.key")}`,
        `--cacert=${join(directory, "ca.crt")}`,
        "--allow-all",
        "--no-use-landlock",
        "--shutdown-timeout=1s",
        "--quiet=conns",
      ],
      env: goEnvironment(pinCpu),
      port,
      workDirectory,
      pinCpu,
    });
    return {
      name: "ghostunnel",
      version,
      pid,
      port,
      async reload() {
        signal("SIGHUP");
      },
      async stop() {
        await stop();
        await backend.stop();
      },
    };
  } catch (error) {
    await backend.stop();
    throw error;
  }
}
