/** What a client opens a connection with. `more`: too few octets to tell. */
export type Opening = "tls" | "http" | "other" | "more";

const VERBS = [
  "GET ",
  "POST ",
  "PUT ",
  "HEAD ",
  "DELETE ",
  "OPTIONS ",
  "PATCH ",
  "CONNECT ",
  "TRACE ",
  "PRI ",
];
const HANDSHAKE_RECORD = 0x16;
const TLS_MAJOR = 0x03;

/** Tells a TLS record (RFC 8446 section 5.1) from an HTTP request line and from anything else. */
export function classifyOpening(bytes: Uint8Array): Opening {
  if (bytes.length === 0) return "more";
  if (bytes[0] === HANDSHAKE_RECORD) {
    if (bytes.length === 1) return "more";
    return bytes[1] === TLS_MAJOR ? "tls" : "other";
  }
  const start = Buffer.from(bytes.subarray(0, 8)).toString("latin1");
  if (VERBS.some((verb) => start.startsWith(verb))) return "http";
  return VERBS.some((verb) => verb.startsWith(start)) ? "more" : "other";
}
