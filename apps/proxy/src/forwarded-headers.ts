import { type Generation, peerOf } from "@newleaf/rotation";
import { forwardedClientCert } from "./forwarded-client-cert.ts";
import { fieldValue, type Headers, without } from "./headers.ts";
import type { InboundRequest, RequestLine } from "./message.ts";

/** Set by us alone; what the client sent under these names is dropped. */
const OURS: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "x-forwarded-client-cert",
  "x-forwarded-proto",
  "x-forwarded-for",
]);

/**
 * The fields that a plain target gets: the client's own, the verified client in `X-Forwarded-Client-Cert`, its address
 * at the end of `X-Forwarded-For`, and `X-Forwarded-Proto: https`.
 */
export function serverHeaders(
  line: RequestLine,
  endToEndFields: Headers,
  request: InboundRequest,
  own: Generation,
): Headers {
  const peer = peerOf(request.socket);
  if (!peer) throw new Error("a request without a verified client");
  const before = fieldValue(endToEndFields, "x-forwarded-for");
  const address = addressOf(peer.address);
  // First, so that a target which reads only so many fields reads these.
  return [
    ["Host", line.host],
    ["X-Forwarded-Client-Cert", forwardedClientCert(peer, own.identity)],
    ["X-Forwarded-For", before === undefined ? address : `${before}, ${address}`],
    ["X-Forwarded-Proto", "https"],
    ...without(endToEndFields, OURS),
  ];
}

/** `192.0.2.1:4711` without its port, `[2001:db8::1]:4711` also without brackets. */
function addressOf(peer: string): string {
  const match = /^\[?(.*?)\]?:\d+$/.exec(peer);
  return match?.[1] ?? peer;
}
