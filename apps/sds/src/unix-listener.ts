import { randomBytes } from "node:crypto";
import { chmod, lstat, rename, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { failure } from "@newleaf/daemon";

/** A place where connections are taken. Disposal takes no more, and awaits nothing but that. */
export interface Listener extends AsyncDisposable {
  /** `unix:/PATH` or `HOST:PORT`, as it really is. */
  readonly address: string;
}

/** What fits into `sun_path` on Linux, the terminating zero aside. */
const LONGEST_PATH = 107;
const CONNECT_TIMEOUT_MS = 1_000;
/** Clients that come back all at once, after a restart; the system's own limit is often this one. */
const BACKLOG = 4_096;

/**
 * Listens on a unix socket with this file mode. It is made under another name and moved to its place, so that it is
 * never there with another mode, and that one which a dead process left behind is replaced without a gap. One on which
 * somebody answers is an error. Disposal removes the file, if it still is this one.
 */
export async function listenOnSocket(
  path: string,
  options: {
    readonly mode: number;
    readonly maxConnections: number;
    readonly onConnection: (socket: Socket) => void;
  },
): Promise<Listener> {
  const temporary = join(dirname(path), `.sds-${randomBytes(4).toString("hex")}`);
  for (const name of [path, temporary]) {
    if (Buffer.byteLength(name) > LONGEST_PATH) {
      throw cannotListen(path, `longer than ${LONGEST_PATH} octets`, "choose a shorter path with --listen");
    }
  }
  await refuseOccupied(path);
  const server = createServer(options.onConnection);
  server.maxConnections = options.maxConnections;
  try {
    await listenPrivately(server, temporary);
    await chmod(temporary, options.mode);
    await rename(temporary, path);
  } catch (error) {
    await close(server);
    await unlink(temporary).catch(() => {});
    const { code, message } = error as NodeJS.ErrnoException;
    throw cannotListen(path, code ?? message, "the directory must exist and be writable", error);
  }
  const { ino } = await lstat(path);
  let closing: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    const found = await lstat(path).catch(() => undefined);
    if (found?.ino === ino) await unlink(path).catch(() => {});
    await close(server);
  };
  return {
    address: `unix:${path}`,
    [Symbol.asyncDispose]() {
      closing ??= end();
      return closing;
    },
  };
}

async function refuseOccupied(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket()) {
    throw cannotListen(path, "there is a file that is no socket", "choose another path with --listen");
  }
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect({ path });
    const settle = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    // A process that is too busy to answer is alive.
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => settle(true));
    socket.once("connect", () => settle(true));
    socket.once("error", ({ code }: NodeJS.ErrnoException) =>
      settle(code !== "ECONNREFUSED" && code !== "ENOENT"),
    );
  });
  if (answers) {
    throw cannotListen(
      path,
      "another process answers there",
      "stop it, or choose another path with --listen",
    );
  }
}

/** The socket file is made inside listen(), with the mode that the umask leaves. */
function listenPrivately(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const umask = process.umask(0o177);
    try {
      server.listen({ path, backlog: BACKLOG }, () => {
        server.off("error", reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}

function close(server: Server): Promise<void> {
  // Connections are not waited for: they are gRPC's to end.
  return new Promise((resolve) => {
    server.close();
    setImmediate(resolve);
  });
}

function cannotListen(path: string, why: string, hint: string, cause?: unknown): Error {
  return failure(`cannot listen on unix:${path}: ${why}`, { hint, ...(cause !== undefined && { cause }) });
}
