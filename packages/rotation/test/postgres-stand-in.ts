import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import * as tls from "node:tls";

/** The least of PostgreSQL that a pool of `pg` needs: TLS after an SSLRequest or at once, then an answer to anything. */
export interface PostgresStandIn extends AsyncDisposable {
  readonly port: number;
  /** How each connection began, and what its client showed and asked for. */
  readonly connections: readonly StandInConnection[];
}

interface StandInConnection {
  readonly began: "SSLRequest" | "ClientHello";
  readonly protocol: string | false | null;
  readonly client: string | undefined;
}

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const AUTHENTICATION_OK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
const COMMAND_COMPLETE = Buffer.from([0x43, 0, 0, 0, 13, ...Buffer.from("SELECT 0\0")]);
const READY_FOR_QUERY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

export async function startPostgresStandIn(options: tls.TlsOptions): Promise<PostgresStandIn> {
  const connections: StandInConnection[] = [];
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket.on("error", () => {}).on("close", () => open.delete(socket)));
    socket.once("readable", () => {
      const first: Buffer = socket.read() ?? Buffer.alloc(0);
      const asked = first.equals(SSL_REQUEST);
      if (asked) socket.write("S");
      else socket.unshift(first);
      const secure = new tls.TLSSocket(socket, { isServer: true, requestCert: true, ...options });
      secure.on("error", () => {});
      secure.once("data", () => {
        connections.push({
          began: asked ? "SSLRequest" : "ClientHello",
          protocol: secure.alpnProtocol,
          client: secure.getPeerX509Certificate()?.fingerprint256,
        });
        secure.write(Buffer.concat([AUTHENTICATION_OK, READY_FOR_QUERY]));
        secure.on("data", (data: Buffer) => {
          if (data[0] === 0x58) secure.end();
          else secure.write(Buffer.concat([COMMAND_COMPLETE, READY_FOR_QUERY]));
        });
      });
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
