import type { Duplex } from "node:stream";
import { ATTRIBUTE, type Certificate } from "@newleaf/x509";

/** Who is at the other end of a connection that was let in: its certificate and the path that was validated. */
export interface VerifiedPeer {
  readonly leaf: Certificate;
  /** Leaf first, trust anchor last. */
  readonly path: readonly Certificate[];
  /** The earliest notAfter on the path, or nextUpdate of a revocation list used for it. */
  readonly validUntil: Date;
  /** The generation whose trust the path was last validated against. */
  readonly generation: number;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /**
   * The common name of a subject with exactly one. Names nobody who goes by RFC 9525; only `allow.commonName` looks
   * at it.
   */
  readonly commonName: string | undefined;
  /** `192.0.2.1:4711`, `[2001:db8::1]:4711` or `unix`. */
  readonly address: string;
  /** The peer presented a session ticket instead of its certificate; the certificate is that of the first time. */
  readonly resumed: boolean;
}

/** Decides by a verified peer whether it may come in. Called for each connection and each new generation. */
export type Authorizer = (peer: VerifiedPeer) => boolean;

/** Of several common names each reader takes another one to be the name: then there is none. */
export function onlyCommonName({ subject }: Certificate): string | undefined {
  const { length } = subject.attributes.filter(({ oid }) => oid === ATTRIBUTE.CN);
  return length === 1 ? subject.commonName : undefined;
}

const PEER = Symbol("newleaf.peer");

/**
 * The verified peer of a connection to a rotating server: give it `request.socket` (HTTP/1 and HTTP/2), the socket
 * of 'secureConnection', 'upgrade' or 'connect', or `session.socket`. Undefined for every other socket.
 */
export function peerOf(socket: Duplex | null | undefined): VerifiedPeer | undefined {
  try {
    return (socket as Marked | null | undefined)?.[PEER];
  } catch {
    // HTTP/2 hands out proxies of the socket that throw once the session has ended.
    return undefined;
  }
}

/** A property rather than a WeakMap entry: it can be read through the socket proxies of HTTP/2. */
export function markPeer(socket: Duplex, peer: VerifiedPeer): void {
  (socket as Marked)[PEER] = peer;
}

type Marked = Duplex & { [PEER]?: VerifiedPeer };
