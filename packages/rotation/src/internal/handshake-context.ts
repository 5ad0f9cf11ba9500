import { createSecureContext, type SecureContext } from "node:tls";
import type { Generation } from "../generation.ts";
import { identityOptions } from "../secure-context.ts";

const mutual = new WeakMap<Generation, SecureContext>();
const serverOnly = new WeakMap<Generation, SecureContext>();

/**
 * What a server shakes hands with: certificate and key, and an empty trust store. OpenSSL's own verdict on a client
 * is never used, and reaching it costs a fifth of a full handshake; empty, the store cannot say yes to anybody
 * either. OpenSSL still demands a certificate and has the client prove that it holds the key.
 *
 * With the store goes the list of authorities in the CertificateRequest (RFC 8446 section 4.2.4). Some clients keep a
 * certificate to themselves that no listed authority has signed; without the list they show what they have, and the
 * rejection says what it was. One context for each generation, with ticket keys of its own; another for servers that
 * demand no certificate, whose tickets say nothing of a client and must be worth nothing to the other kind.
 */
export function handshakeContext(
  generation: Generation,
  { demandsCertificate }: { readonly demandsCertificate: boolean } = { demandsCertificate: true },
): SecureContext {
  const contexts = demandsCertificate ? mutual : serverOnly;
  let context = contexts.get(generation);
  if (!context) {
    // Not left out: without `ca` Node puts the public roots in.
    context = createSecureContext({ ...identityOptions(generation), ca: [] });
    contexts.set(generation, context);
  }
  return context;
}
