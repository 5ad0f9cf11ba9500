import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Generation } from "../generation.ts";
import type { GuardVerdict, PeerGuard } from "../peer-guard.ts";
import type { VerifiedPeer } from "../verified-peer.ts";

/** A server's question to its clients: for a certificate, which the guard judges, or for nothing. */
export interface ClientCheck {
  readonly demandsCertificate: boolean;
  /** A client whose handshake is done. */
  admit(socket: TLSSocket, address: string, generation: Generation): ClientVerdict;
  /** The same question for who is connected already. */
  recheck(peer: VerifiedPeer | undefined, generation: Generation): ClientVerdict;
}

type ClientVerdict =
  | { readonly ok: true; readonly peer: VerifiedPeer | undefined }
  | Extract<GuardVerdict, { ok: false }>;

export function checkByGuard(guard: PeerGuard): ClientCheck {
  return {
    demandsCertificate: true,
    admit(socket, address, generation) {
      const certificate = socket.getPeerX509Certificate();
      return guard.admit(
        {
          fingerprint: certificate?.fingerprint256,
          leaf: () => certificate?.raw,
          chain: () => sentAbove(certificate),
          resumed: socket.isSessionReused(),
          address,
        },
        generation,
      );
    },
    recheck(peer, generation) {
      if (peer) return guard.recheck(peer, generation);
      return { ok: false, code: "no_certificate", message: "nobody was verified here", leaf: undefined };
    },
  };
}

/** Everyone comes in, for as long as we have an identity to show. */
export function checkNobody(): ClientCheck {
  return {
    demandsCertificate: false,
    admit: (_socket, _address, generation) => letIn(generation),
    recheck: (_peer, generation) => letIn(generation),
  };
}

function letIn({ withdrawn }: Generation): ClientVerdict {
  if (withdrawn === undefined) return { ok: true, peer: undefined };
  const message = `our own identity was withdrawn: ${withdrawn}`;
  return { ok: false, code: "identity_withdrawn", message, leaf: undefined };
}

/** What the peer sent, octet for octet; getPeerCertificate(true) only shows what OpenSSL made of it. */
function sentAbove(leaf: X509Certificate | undefined): readonly Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let next = leaf?.issuerCertificate; next && above.length < 16; next = next.issuerCertificate) {
    above.push(next.raw);
  }
  return above;
}
