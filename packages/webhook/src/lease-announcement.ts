import { createHash } from "node:crypto";
import type { Lease } from "@newleaf/kube";
import type { AnnotationNames } from "./annotations.ts";

/** What the serving Lease says that everybody shall serve. */
export interface LeaseAnnouncement {
  readonly certHash: string;
  /** Undefined from leaders that do not say it. */
  readonly caHash: string | undefined;
}

/** Undefined where there is no Lease, or it announces nothing that could be compared. */
export function parseAnnouncement(
  lease: Lease | undefined,
  names: AnnotationNames,
): LeaseAnnouncement | undefined {
  const annotations = lease?.metadata?.annotations ?? {};
  const certHash = hashIn(annotations[names.certHash]);
  if (certHash === undefined || annotations[names.certReady] !== "true") return undefined;
  return { certHash, caHash: hashIn(annotations[names.caHash]) };
}

/** Lower-case hex. */
export function sha256Hex(octets: string | Uint8Array): string {
  return createHash("sha256").update(octets).digest("hex");
}

function hashIn(value: string | undefined): string | undefined {
  const hash = value?.trim().toLowerCase();
  return hash !== undefined && /^[0-9a-f]{64}$/.test(hash) ? hash : undefined;
}
