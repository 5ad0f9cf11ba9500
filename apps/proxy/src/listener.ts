import { lstat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import {
  DaemonError,
  formatHostPort,
  type HostPort,
  isLoopback,
  parseHostPort,
  parseSocketPath,
} from "@newleaf/daemon";

/** A TCP address or the path of a unix socket. */
export type ListenAddress = HostPort | { readonly path: string };

/** Reads `HOST:PORT` or `unix:/PATH`. */
export function parseListenAddress(text: string): ListenAddress {
  if (!text.startsWith("unix:")) return parseHostPort(text);
  return { path: parseSocketPath(text) };
}

export function formatListenAddress(address: ListenAddress): string {
  return "path" in address ? `unix:${address.path}` : formatHostPort(address);
}

/** Whether plain text sent to this address stays on this machine. */
export function isLocal(address: ListenAddress): boolean {
  return "path" in address || isLoopback(address.host);
}

/**
 * Listens and resolves with the real address (port 0 asks for a free one). A unix socket is open to its owner only,
 * and one that a dead process left behind is replaced.
 */
export async function listen(server: Server, address: ListenAddress): Promise<ListenAddress> {
  if ("path" in address) await removeStale(address.path);
  await new Promise<void>((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(cannotListen(address, error));
    server.once("error", onError);
    const onListening = (): void => {
      server.off("error", onError);
      resolve();
    };
    if ("path" in address) listenPrivately(server, address.path, onListening);
    else server.listen({ host: address.host, port: address.port }, onListening);
  });
  const bound = server.address();
  return typeof bound === "object" && bound ? { host: bound.address, port: bound.port } : address;
}

/** The socket file is made inside listen(), with the mode that the umask leaves. */
function listenPrivately(server: Server, path: string, onListening: () => void): void {
  const umask = process.umask(0o177);
  try {
    server.listen({ path }, onListening);
  } finally {
    process.umask(umask);
  }
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isSocket()) return;
  const alive = await new Promise<boolean>((resolve) => {
    const socket = connect({ path }, () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
  if (!alive) await unlink(path);
}

function cannotListen(address: ListenAddress, error: NodeJS.ErrnoException): Error {
  const hint =
    error.code === "EADDRINUSE"
      ? "another process has it; choose another with --listen, or port 0 for a free one"
      : "choose another address with --listen";
  const message = `cannot listen on ${formatListenAddress(address)}: ${error.code ?? error.message}`;
  return new DaemonError("ERR_DAEMON_LISTEN", message, { hint, cause: error });
}
