import type { VerifiedPeer } from "@newleaf/rotation";
import { formatName } from "@newleaf/x509";

/**
 * The value of `X-Forwarded-Client-Cert` for one verified peer, in Envoy's format: `By` is our own identity, `Hash`
 * the SHA-256 of the leaf, then `Subject` (RFC 4514), each URI and each DNS name.
 */
export function forwardedClientCert(peer: VerifiedPeer, by: string): string {
  return [
    `By=${value(by)}`,
    `Hash=${peer.leaf.sha256}`,
    `Subject=${quoted(formatName(peer.leaf.subject))}`,
    ...peer.uris.map((uri) => `URI=${value(uri)}`),
    ...peer.dnsNames.map((name) => `DNS=${value(name)}`),
  ].join(";");
}

/** Separators inside a value, and anything that no header may hold, are only safe between quotes. */
function value(text: string): string {
  return /^[\x21\x23-\x2b\x2d-\x3a\x3c\x3e-\x7e]+$/.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  const printable = text.replaceAll(/[^\x20-\x7e]/gu, percentEncoded);
  return `"${printable.replaceAll(/["\\]/g, "\\$&")}"`;
}

function percentEncoded(character: string): string {
  return [...Buffer.from(character)].map((octet) => `%${octet.toString(16).padStart(2, "0")}`).join("");
}
