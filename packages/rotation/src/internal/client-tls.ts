import * as tls from "node:tls";
import { type Clock, systemClock } from "../clock.ts";
import { RotationError } from "../error.ts";
import type { Generation } from "../generation.ts";
import type { IdentitySource } from "../identity-source.ts";
import { createPeerGuard } from "../peer-guard.ts";
import { secureContextOptions } from "../secure-context.ts";
import type { Authorizer } from "../verified-peer.ts";

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
 * For one client, the options of connections that present a generation. The server passes two checks: OpenSSL's,
 * against the trust of that generation, and ours, against the trust that is current when the handshake ends, with
 * the rules that the server side has too (usage, name constraints of URIs, revocation). Both fail closed.
 */
export function createClientTls(
  source: IdentitySource,
  { authorizeServer, minVersion, clock = systemClock }: ServerTrustOptions,
): (generation: Generation) => ClientTls {
  const authorize = authorizeServer ?? (() => true);
  const guard = createPeerGuard({ authorize, clock, purpose: "serverAuth", cacheSize: SERVERS_KEPT });
  return (generation) => ({
    secureContext: contextFor(generation, minVersion),
    rejectUnauthorized: true,
    checkServerIdentity(hostname, shown) {
      const [leaf, ...chain] = octetsOf(shown);
      const verdict = guard.admit(
        {
          fingerprint: leaf && shown.fingerprint256,
          leaf: () => leaf,
          chain: () => chain,
          resumed: false,
          address: hostname,
        },
        source.current(),
      );
      if (!verdict.ok) return refused(hostname, verdict.message);
      return authorizeServer ? undefined : tls.checkServerIdentity(hostname, shown);
    },
  });
}

function refused(hostname: string, why: string): RotationError {
  return new RotationError("ERR_ROTATION_SERVER_REFUSED", `server ${hostname} is not trusted: ${why}`);
}

const SERVERS_KEPT = 256;
const LONGEST_CHAIN = 16;

function octetsOf(shown: tls.PeerCertificate): Buffer[] {
  const octets: Buffer[] = [];
  let next: tls.PeerCertificate | undefined = shown;
  // Ends at a root, which names itself as issuer, and in any case at a length that no honest chain has.
  while (next?.raw && octets.length < LONGEST_CHAIN) {
    const { raw }: tls.PeerCertificate = next;
    if (octets.some((known) => known.equals(raw))) break;
    octets.push(raw);
    next = "issuerCertificate" in next ? (next as tls.DetailedPeerCertificate).issuerCertificate : undefined;
  }
  return octets;
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
