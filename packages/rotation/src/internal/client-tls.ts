import * as tls from "node:tls";
import { type Certificate, parseCertificate, validatePath } from "@newleaf/x509";
import { type Clock, systemClock } from "../clock.ts";
import { RotationError } from "../error.ts";
import type { Generation } from "../generation.ts";
import type { IdentitySource } from "../identity-source.ts";
import { secureContextOptions } from "../secure-context.ts";
import type { Authorizer, VerifiedPeer } from "../verified-peer.ts";

/** How clients decide whom they talk to; the same for every kind of client. */
export interface ServerTrustOptions {
  /** Replaces the comparison of host and certificate, for servers named by URI (SPIFFE). */
  readonly authorizeServer?: Authorizer;
  /** TLS 1.3 unless a server that cannot be changed needs "TLSv1.2". */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly clock?: Clock;
}

export interface ClientTls {
  readonly secureContext: tls.SecureContext;
  readonly rejectUnauthorized: true;
  readonly checkServerIdentity: (hostname: string, certificate: tls.PeerCertificate) => Error | undefined;
}

/**
 * Options of a connection that presents this generation. The server passes two checks: OpenSSL's, against the trust
 * of the generation, and ours, against the trust that is current when the handshake ends, with the rules that the
 * server side has too (usage, name constraints of URIs, revocation).
 */
export function clientTls(
  source: IdentitySource,
  generation: Generation,
  options: ServerTrustOptions,
): ClientTls {
  return {
    secureContext: contextFor(generation, options.minVersion),
    rejectUnauthorized: true,
    checkServerIdentity: (hostname, certificate) =>
      checkServer(source.current(), hostname, certificate, options),
  };
}

function checkServer(
  generation: Generation,
  hostname: string,
  shown: tls.PeerCertificate,
  { authorizeServer, clock = systemClock }: ServerTrustOptions,
): Error | undefined {
  const [leaf, ...intermediates] = certificatesOf(shown);
  if (!leaf) return refused(hostname, "no certificate was shown");
  const { trust, crls } = generation;
  const path = validatePath(leaf, trust, {
    now: new Date(clock.now()),
    purpose: "serverAuth",
    intermediates,
    ...(crls.length > 0 ? { crls } : {}),
  });
  if (!path.ok) return refused(hostname, path.message);
  if (!authorizeServer) return tls.checkServerIdentity(hostname, shown);
  const peer = describePeer(leaf, path.path, path.validUntil, generation, hostname);
  return authorizeServer(peer) ? undefined : refused(hostname, "its names are not allowed");
}

function refused(hostname: string, why: string): RotationError {
  return new RotationError("ERR_ROTATION_SERVER_REFUSED", `server ${hostname} is not trusted: ${why}`);
}

function describePeer(
  leaf: Certificate,
  path: readonly Certificate[],
  validUntil: Date,
  generation: Generation,
  address: string,
): VerifiedPeer {
  const names = (type: "dns" | "uri"): string[] =>
    leaf.subjectAltNames.flatMap((name) => (name.type === type ? [name.value] : []));
  return {
    leaf,
    path,
    validUntil,
    generation: generation.number,
    dnsNames: names("dns"),
    uris: names("uri"),
    commonName: leaf.subject.commonName,
    address,
    resumed: false,
  };
}

function certificatesOf(shown: tls.PeerCertificate): Certificate[] {
  const certificates: Certificate[] = [];
  let next: tls.PeerCertificate | undefined = shown;
  // Ends at a root, which names itself as issuer, and in any case at a length that no honest chain has.
  while (next?.raw && certificates.length < 16) {
    const certificate = parseCertificate(next.raw);
    if (certificates.some((known) => known.sha256 === certificate.sha256)) break;
    certificates.push(certificate);
    next = "issuerCertificate" in next ? (next as tls.DetailedPeerCertificate).issuerCertificate : undefined;
  }
  return certificates;
}

const relaxed = new WeakMap<Generation, tls.SecureContext>();

function contextFor(generation: Generation, minVersion: ServerTrustOptions["minVersion"]): tls.SecureContext {
  if (minVersion !== "TLSv1.2") return generation.secureContext;
  let context = relaxed.get(generation);
  if (!context) {
    context = tls.createSecureContext({ ...secureContextOptions(generation), minVersion });
    relaxed.set(generation, context);
  }
  return context;
}
