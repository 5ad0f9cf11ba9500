import { createHash } from "node:crypto";
import type { Certificate } from "@newleaf/x509";

/**
 * How far notBefore lies before the moment of issue. Two clocks take part whenever a certificate is looked at, the
 * issuer's and the reader's, and each may be five minutes off, which is what Kerberos allows and NTP alarms at.
 */
export const DEFAULT_BACKDATE_MS = 600_000;

/** Renewals lie between these shares of a life: at two thirds, or a little earlier so that not all come at once. */
const LATEST_RENEWAL = 2 / 3;
const SPREAD = 1 / 20;

/**
 * When to renew, in milliseconds since the epoch. Counted from the moment of issue, not from the backdated notBefore,
 * and spread by the certificate itself, so that every replica finds the same moment.
 */
export function renewalTime(certificate: Certificate, backdateMs: number): number {
  return momentOfLife(certificate, backdateMs, LATEST_RENEWAL - SPREAD * spreadOf(certificate));
}

/** The moment when this share of the life has passed: 0 is that of issue, 1 the end. */
export function momentOfLife(
  { notBefore, notAfter }: Certificate,
  backdateMs: number,
  share: number,
): number {
  const end = notAfter.getTime();
  const claimed = notBefore.getTime() + backdateMs;
  // Issued with another setting of backdateMs: as if it had been issued at its notBefore.
  const issuedAt = claimed < end ? claimed : notBefore.getTime();
  return issuedAt + share * (end - issuedAt);
}

/** From 0 to below 1. Of names and times, not of serial numbers or keys: a simulation has to repeat it. */
function spreadOf({ subject, notBefore }: Certificate): number {
  const digest = createHash("sha256").update(subject.der).update(notBefore.toISOString()).digest();
  return digest.readUInt32BE(0) / 2 ** 32;
}
