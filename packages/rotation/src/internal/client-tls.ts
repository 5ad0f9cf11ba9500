import * as tls from "node:tls";
import type { TrustBundle } from "@newleaf/x509";
import { type Clock, systemClock } from "../clock.ts";
import { RotationError } from "../error.ts";
import type { Generation } from "../generation.ts";
import type { IdentitySource } from "../identity-source.ts";
import { createPeerGuard, type GuardTrust } from "../peer-guard.ts";
import type { Authorizer } from "../verified-peer.ts";
import { clientContext } from "./client-context.ts";

/** How clients decide whom they talk to, and what they show; the same for every kind of client. */
export interface ServerTrustOptions {
  /**
   * Verify servers to these anchors and not to the trust of the identity, whose revocation lists do not count then:
   * `webRoots()` for servers of the web.
   */
  readonly serverTrust?: TrustBundle;
  /** Present no certificate, for servers that ask for none. The identity then only says whom to trust. */
  readonly anonymous?: boolean;
  /** Replaces the comparison of host and certificate, for servers named by URI (SPIFFE). */
  readonly authorizeServer?: Authorizer;
  /** TLS 1.3 unless a server that cannot be changed needs "TLSv1.2". */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly clock?: Clock;
}

/** What is left of a client's options for those who know nothing of these. */
export function withoutServerTrust<O extends ServerTrustOptions>(
  options: O,
): Omit<O, "serverTrust" | "anonymous" | "authorizeServer" | "minVersion"> {
  const { serverTrust: _, anonymous: __, authorizeServer: ___, minVersion: ____, ...others } = options;
  return others;
}

export interface ClientTls {
  readonly secureContext: tls.SecureContext;
  readonly rejectUnauthorized: true;
  readonly checkServerIdentity: (hostname: string, certificate: tls.PeerCertificate) => Error | undefined;
}

/**
 * For one client, the options of connections that present a generation. The server passes two checks: OpenSSL's,
 * against the trust of that generation, and ours, against the trust that is current when the handshake ends, with
 * the rules that the server side has too (usage, name constraints of URIs, revocation). Both fail closed. With
 * `serverTrust` both are against that.
 */
export function createClientTls(
  source: IdentitySource,
  options: ServerTrustOptions,
): (generation: Generation) => ClientTls {
  const {
    authorizeServer,
    serverTrust,
    anonymous = false,
    minVersion = "TLSv1.3",
    clock = systemClock,
  } = options;
  if (serverTrust?.certificates.length === 0) {
    throw new RotationError("ERR_ROTATION_OPTIONS", "serverTrust is an empty bundle, which trusts no server");
  }
  const authorize = authorizeServer ?? (() => true);
  const guard = createPeerGuard({ authorize, clock, purpose: "serverAuth", cacheSize: SERVERS_KEPT });
  return (generation) => ({
    secureContext: clientContext(generation, {
      minVersion,
      anonymous,
      serverTrust: generation.withdrawn === undefined ? serverTrust : undefined,
    }),
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
        trustIn(source.current(), serverTrust),
      );
      if (!verdict.ok) return refused(hostname, verdict.message);
      return authorizeServer ? undefined : tls.checkServerIdentity(hostname, shown);
    },
  });
}

/** A withdrawn identity is shown to nobody and trusts nobody, whatever a client was told to trust. */
function trustIn(generation: Generation, serverTrust: TrustBundle | undefined): GuardTrust {
  if (!serverTrust || generation.withdrawn !== undefined) return generation;
  const { number, chain } = generation;
  return { number, chain, trust: serverTrust, peerTrust: undefined, crls: [] };
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
