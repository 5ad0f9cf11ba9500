import type { Generation, VerifiedPeer } from "@newleaf/rotation";
import { formatName } from "@newleaf/x509";
import type { InboundRequest, InboundResponse } from "./message.ts";

/** The built-in target: answers every request with whom it is talking to, as text or, where asked for, as JSON. */
export function answerHello(
  request: InboundRequest,
  response: InboundResponse,
  peer: VerifiedPeer,
  served: Generation,
): void {
  request.resume();
  const json = /\bapplication\/json\b/i.test(request.headers.accept ?? "");
  const body = json ? `${JSON.stringify(greeting(peer, served))}\n` : `hello ${nameOf(peer)}\n`;
  response.statusCode = 200;
  response.setHeader("content-type", json ? "application/json" : "text/plain; charset=utf-8");
  response.setHeader("content-length", Buffer.byteLength(body));
  response.setHeader("cache-control", "no-store");
  response.end(request.method === "HEAD" ? "" : body);
}

function greeting(peer: VerifiedPeer, served: Generation): object {
  return {
    message: "hello",
    peer: {
      identity: nameOf(peer),
      subject: formatName(peer.leaf.subject),
      serialNumber: peer.leaf.serialNumber,
      notAfter: peer.leaf.notAfter,
      resumed: peer.resumed,
    },
    served: {
      identity: served.identity,
      serialNumber: served.leaf.serialNumber,
      notAfter: served.notAfter,
      generation: served.number,
    },
  };
}

function nameOf(peer: VerifiedPeer): string {
  return peer.uris[0] ?? peer.dnsNames[0] ?? peer.commonName ?? formatName(peer.leaf.subject);
}
