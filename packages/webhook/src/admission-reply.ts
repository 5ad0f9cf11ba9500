import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@newleaf/kube";

/** How long a client may go on sending a body that nobody wants before its connection is closed. */
const lingerMs = 2_000;

interface Reply {
  readonly status: number;
  readonly body: object;
  readonly clock: Clock;
}

/**
 * Answers with a JSON document. When the request has not been read to its end, the answer is whole at once and the
 * connection is closed a while later: closed at once, a reset could overtake the answer.
 */
export function sendJson(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  if (response.destroyed || response.headersSent) return;
  const text = JSON.stringify(reply.body);
  response.writeHead(reply.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...(reply.status === 405 && { allow: "POST" }),
    ...(!request.complete && { connection: "close" }),
  });
  if (request.complete) return void response.end(text);
  const end = (): void => {
    timer.cancel();
    response.end();
  };
  const timer = reply.clock.setTimeout(end, lingerMs);
  request.once("end", end).once("close", end).once("error", end);
  response.write(text);
  request.resume();
}
