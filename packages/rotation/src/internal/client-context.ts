import { createSecureContext, type SecureContext } from "node:tls";
import type { TrustBundle } from "@newleaf/x509";
import type { Generation } from "../generation.ts";
import { anchorOptions, identityOptions, peerAnchorOptions } from "../secure-context.ts";

/** How a client's connections differ from those that present the generation and trust what it trusts. */
export interface ClientVariant {
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly serverTrust: TrustBundle | undefined;
  readonly anonymous: boolean;
}

const contexts = new WeakMap<Generation, Map<string, SecureContext>>();

/** One context for each generation and variant. */
export function clientContext(generation: Generation, variant: ClientVariant): SecureContext {
  const { minVersion, serverTrust, anonymous } = variant;
  if (minVersion === "TLSv1.3" && !serverTrust && !anonymous) return generation.secureContext;
  const known = contexts.get(generation) ?? new Map<string, SecureContext>();
  contexts.set(generation, known);
  const key = [minVersion, serverTrust?.sha256, anonymous].join();
  const context = known.get(key) ?? createVariant(generation, variant);
  known.set(key, context);
  return context;
}

function createVariant(generation: Generation, variant: ClientVariant): SecureContext {
  const { minVersion, serverTrust, anonymous } = variant;
  return createSecureContext({
    ...(anonymous ? {} : identityOptions(generation)),
    ...(serverTrust ? anchorOptions(serverTrust.certificates, []) : peerAnchorOptions(generation)),
    minVersion,
  });
}
