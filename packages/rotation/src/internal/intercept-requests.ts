import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { Server } from "node:tls";
import { type Connection, connectionOf } from "./connection.ts";

/**
 * Asks before each request, and before any handler sees it, whether its connection may still be served. Listeners
 * cannot do that: `prependListener` comes first but cannot keep the others from running, and every framework's
 * handler is just another listener. All requests pass through `emit` of the server, so that is where we stand.
 *
 * `refuse` gets connections that were never let in. Whatever else the server emits is passed through untouched.
 */
export function interceptRequests(
  server: Server,
  guard: { admits(connection: Connection): boolean; refuse(socket: Duplex): void },
): void {
  const sessions = new WeakMap<ServerHttp2Session, Connection>();

  const admitted = (socket: Duplex): Connection | undefined => {
    const connection = connectionOf(socket);
    if (connection) return guard.admits(connection) ? connection : undefined;
    guard.refuse(socket);
    return undefined;
  };

  const passes = (event: string | symbol, subject: unknown, second: unknown): boolean => {
    switch (event) {
      case "request":
      case "checkContinue":
      case "checkExpectation": {
        const request = subject as IncomingMessage;
        // The stream of an HTTP/2 request was checked, and one made up by a test has no TLS to check.
        if (request.httpVersionMajor > 1 || !isEncrypted(request.socket)) return true;
        const connection = admitted(request.socket);
        connection?.respond(second as ServerResponse);
        return connection !== undefined;
      }
      case "upgrade":
      case "connect": {
        const request = subject as IncomingMessage;
        if (request.httpVersionMajor > 1 || !isEncrypted(request.socket)) return true;
        const connection = admitted(request.socket);
        connection?.takeOver();
        return connection !== undefined;
      }
      case "session": {
        const session = subject as ServerHttp2Session;
        const connection = connectionOf(session.socket);
        if (connection) sessions.set(session, connection);
        connection?.attach(session);
        return true;
      }
      case "stream": {
        const { session } = subject as ServerHttp2Stream;
        const connection = session && sessions.get(session as ServerHttp2Session);
        if (connection && guard.admits(connection)) return true;
        if (!connection) session?.destroy();
        return false;
      }
      default:
        return true;
    }
  };

  const emit = server.emit;
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (!passes(event, args[0], args[1])) return true;
    return Reflect.apply(emit, server, [event, ...args]);
  };
}

function isEncrypted(socket: Duplex): boolean {
  return (socket as Duplex & { encrypted?: boolean }).encrypted === true;
}
