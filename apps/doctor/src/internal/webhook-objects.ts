import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { KubeObject, Lease, Secret } from "@newleaf/kube";
import { type AnnotationNames, parseAnnouncement, type RolloverNote } from "@newleaf/webhook";
import { type Certificate, keyMatchesCertificate, parseCertificates, parsePrivateKey } from "@newleaf/x509";
import type {
  AnnouncementFacts,
  AuthorityFacts,
  ElectionFacts,
  ServingSecretFacts,
  Writer,
} from "../webhook-facts.ts";

/** As what leaders write. */
const OWN_MANAGER = "newleaf";

export function electionFacts({ spec = {} }: Lease, renewedMeanwhile: boolean): ElectionFacts {
  return {
    holder: spec.holderIdentity ?? "",
    durationMs: (spec.leaseDurationSeconds ?? 15) * 1_000,
    renewedAt: dateOf(spec.renewTime),
    acquiredAt: dateOf(spec.acquireTime),
    renewedMeanwhile,
  };
}

export function announcementFacts(lease: Lease, names: AnnotationNames): AnnouncementFacts {
  const announced = parseAnnouncement(lease, names);
  return {
    certHash: announced?.certHash,
    caHash: announced?.caHash,
    writtenFor: writtenFor(lease, names),
    changedAt: lastChange(lease),
    otherWriters: otherWriters(lease, names.certHash),
  };
}

/** Says what can be said of the key without keeping it. */
export function servingSecretFacts(secret: Secret, names: AnnotationNames): ServingSecretFacts {
  const text = (file: string): string => secretText(secret, file);
  const [leaf, ...chain] = certificatesIn(text("tls.crt"));
  return {
    certHash: sha256Hex(text("tls.crt")),
    caHash: sha256Hex(text("ca.crt")),
    leaf,
    chain,
    trust: certificatesIn(text("ca.crt")),
    problem: leaf ? keyProblem(text("tls.key"), leaf) : "tls.crt holds no certificate that can be read",
    immutable: secret.immutable === true,
    writtenFor: writtenFor(secret, names),
    otherWriters: otherWriters(secret, "tls.crt"),
  };
}

export function authorityFacts(secret: Secret, names: AnnotationNames): AuthorityFacts {
  const certificates = (file: string): readonly Certificate[] => certificatesIn(secretText(secret, file));
  return {
    signer: certificates("ca.crt")[0],
    next: certificates("next.crt")[0],
    previous: certificates("previous.crt"),
    rollover: noteIn(secret.metadata?.annotations?.[names.rollover]),
    writtenFor: writtenFor(secret, names),
  };
}

/** What can be read of PEM. */
export function certificatesIn(pem: string): readonly Certificate[] {
  try {
    return parseCertificates(pem);
  } catch {
    return [];
  }
}

/** Who has last written a field of the object, wherever it is in it, other than a leader. */
export function otherWriters({ metadata }: KubeObject, field: string): readonly Writer[] {
  return (metadata?.managedFields ?? []).flatMap(({ manager = "unknown", time, fieldsV1 }) =>
    manager !== OWN_MANAGER && holdsField(fieldsV1, `f:${field}`) ? [{ manager, at: dateOf(time) }] : [],
  );
}

/** Lower-case hex, of the octets. */
export function sha256Hex(latin1: string): string {
  return createHash("sha256").update(latin1, "latin1").digest("hex");
}

export function dateOf(text: string | undefined): Date | undefined {
  const at = new Date(text ?? Number.NaN);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

function secretText({ data }: Secret, file: string): string {
  return Buffer.from(data?.[file] ?? "", "base64").toString("latin1");
}

function keyProblem(pem: string, leaf: Certificate): string | undefined {
  try {
    return keyMatchesCertificate(parsePrivateKey(pem), leaf)
      ? undefined
      : "tls.key does not belong to tls.crt";
  } catch {
    return "tls.key holds no key that can be read";
  }
}

/** A token is `identity term nonce`. */
function writtenFor({ metadata }: KubeObject, names: AnnotationNames): string | undefined {
  return metadata?.annotations?.[names.leader]?.split(" ", 1)[0];
}

function lastChange({ metadata }: KubeObject): Date | undefined {
  const times = (metadata?.managedFields ?? []).flatMap(({ time }) => dateOf(time)?.getTime() ?? []);
  const created = dateOf(metadata?.creationTimestamp)?.getTime();
  const last = Math.max(...times, created ?? Number.NEGATIVE_INFINITY);
  return Number.isFinite(last) ? new Date(last) : undefined;
}

function holdsField(fields: unknown, name: string): boolean {
  if (typeof fields !== "object" || fields === null) return false;
  return Object.entries(fields).some(([key, below]) => key === name || holdsField(below, name));
}

function noteIn(json: string | undefined): RolloverNote | undefined {
  if (json === undefined) return undefined;
  try {
    const note: unknown = JSON.parse(json);
    const isNote = typeof note === "object" && note !== null && "startedAt" in note;
    return isNote ? (note as RolloverNote) : undefined;
  } catch {
    return undefined;
  }
}
