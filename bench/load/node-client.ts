import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";

const timeoutMs = 10_000;

/** One identity and one server, as load/client.go has them. */
export interface Client {
  readonly port: number;
  readonly options: ConnectionOptions;
  /** The newest session ticket, where this client keeps them. */
  session?: Buffer | undefined;
}

export function createClient(port: number, identity: string): Client {
  const [cert, key, ca] = ["tls.crt", "tls.key", "ca.crt"].map((name) => readFileSync(join(identity, name)));
  const options = { cert: cert!, key: key!, ca: ca!, minVersion: "TLSv1.3", ecdhCurve: "X25519" } as const;
  return { port, options };
}

/** Resolves when the handshake is done on this side. */
export async function openConnection(client: Client): Promise<TLSSocket> {
  const socket = connect({
    ...client.options,
    host: "127.0.0.1",
    port: client.port,
    servername: "localhost",
    timeout: timeoutMs,
    ...(client.session && { session: client.session }),
  });
  socket.once("timeout", () => socket.destroy(new Error("timeout")));
  try {
    await once(socket, "secureConnect");
    return socket;
  } catch (error) {
    socket.destroy();
    throw new Error(`handshake: ${reasonOf(error)}`);
  }
}

/** Whether the server wants no more requests on this connection. */
export async function get(socket: TLSSocket, last: boolean): Promise<boolean> {
  socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${last ? "Connection: close\r\n" : ""}\r\n`);
  let answer = "";
  const ended = (): void => void socket.destroy(new Error("closed before the answer"));
  socket.once("end", ended);
  try {
    while (!isWhole(answer)) {
      const [data] = await once(socket, "data");
      answer += String(data);
    }
  } catch (error) {
    throw new Error(`response: ${reasonOf(error)}`);
  } finally {
    socket.off("end", ended);
  }
  if (!answer.startsWith("HTTP/1.1 200 ")) throw new Error(`answer: ${answer.slice(0, 20)}`);
  return /^connection: close\r$/im.test(answer);
}

/** Hello is the whole body, of known length or in chunks. */
function isWhole(answer: string): boolean {
  const body = answer.indexOf("\r\n\r\n");
  if (body < 0) return false;
  const chunked = /^transfer-encoding: chunked\r$/im.test(answer.slice(0, body + 2));
  return chunked ? answer.endsWith("0\r\n\r\n") : answer.slice(body + 4).length >= "hello\n".length;
}

function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
