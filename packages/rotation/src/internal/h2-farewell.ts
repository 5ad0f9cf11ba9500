import type { ServerHttp2Session } from "node:http2";
import type { Clock, Timer } from "../clock.ts";
import { http2 } from "./lazy-http2.ts";

const NO_STREAM_REFUSED_YET = 2 ** 31 - 1;
const NOTICE_MS = 50;
const told = new WeakSet<ServerHttp2Session>();

/**
 * Ends a session in the two steps of RFC 9113 section 6.8, so that requests that are on their way while we decide
 * to go are still answered: GOAWAY that refuses nothing, and the final one when the peer has seen the first.
 * `session.close()` alone refuses them (retriable, yet an error to many callers). The wait is short since Node's
 * own client holds its unsent requests back, and its PING, too, until the second.
 */
export function sayFarewell(session: ServerHttp2Session, clock: Clock): void {
  if (session.destroyed || session.closed || told.has(session)) return;
  told.add(session);
  let timer: Timer | undefined;
  const finish = (): void => {
    timer?.cancel();
    if (!session.destroyed) session.close();
  };
  timer = clock.setTimeout(finish, NOTICE_MS);
  session.once("close", () => timer?.cancel());
  session.goaway(http2().constants.NGHTTP2_NO_ERROR, NO_STREAM_REFUSED_YET);
  session.ping(finish);
}
