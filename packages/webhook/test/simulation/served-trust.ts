import { Buffer } from "node:buffer";
import type { Generation } from "@newleaf/rotation";
import { createTrustBundle, parseCertificates, type TrustBundle, validatePath } from "@newleaf/x509";
import type { EffectiveBundle } from "./admission-callers.ts";
import { DNS_NAME } from "./plan.ts";

/** What an API server would make of a certificate, by what it trusts and its own, true time. */
export interface ServedTrust {
  /** Why it would refuse the handshake for the certificate's sake; undefined if it would not. */
  refusal(served: Generation, of: EffectiveBundle, trueTime: number): ServedRefusal | undefined;
}

interface ServedRefusal {
  readonly kind: "untrusted" | "early" | "expired" | "name";
  readonly message: string;
}

/** Every pair that meets is verified, once; only time is looked at again and again. */
export function createServedTrust(): ServedTrust {
  const bundles = new Map<string, TrustBundle | undefined>();
  const verified = new Map<string, Map<string, string | undefined>>();

  const trustIn = (bundle: string): TrustBundle | undefined => {
    if (!bundles.has(bundle)) bundles.set(bundle, parseBundle(bundle));
    return bundles.get(bundle);
  };
  const pathFailure = (served: Generation, bundle: string): string | undefined => {
    const { leaf, chain } = served;
    let known = verified.get(bundle);
    if (!known) {
      known = new Map();
      verified.set(bundle, known);
    }
    if (!known.has(leaf.sha256)) known.set(leaf.sha256, failure());
    return known.get(leaf.sha256);

    function failure(): string | undefined {
      const trust = trustIn(bundle);
      if (!trust) return "there is no caBundle";
      const now = new Date((leaf.notBefore.getTime() + leaf.notAfter.getTime()) / 2);
      const path = validatePath(leaf, trust, { now, purpose: "serverAuth", intermediates: chain });
      return path.ok ? undefined : path.message;
    }
  };

  return {
    refusal(served, { bundle }, trueTime) {
      const { leaf } = served;
      if (trueTime > leaf.notAfter.getTime()) {
        return { kind: "expired", message: `it expired ${leaf.notAfter.toISOString()}` };
      }
      if (trueTime < leaf.notBefore.getTime()) {
        return { kind: "early", message: `it is not valid before ${leaf.notBefore.toISOString()}` };
      }
      if (!leaf.subjectAltNames.some((name) => name.type === "dns" && name.value === DNS_NAME)) {
        return { kind: "name", message: `it is not for ${DNS_NAME}` };
      }
      const message = pathFailure(served, bundle);
      return message === undefined ? undefined : { kind: "untrusted", message };
    },
  };
}

function parseBundle(bundle: string): TrustBundle | undefined {
  try {
    const certificates = parseCertificates(Buffer.from(bundle, "base64").toString("latin1"));
    return certificates.length > 0 ? createTrustBundle(certificates) : undefined;
  } catch {
    return undefined;
  }
}
