import { formatName } from "@newleaf/x509";
import type { Generation } from "../generation.ts";

/** Issuers renew at two thirds of the life; a little later, so that a renewal under way is not called overdue. */
const OVERDUE_SHARE = 0.7;

/** True when the next certificate should have been here by now. */
export function isOverdue({ leaf }: Generation, now: Date): boolean {
  const from = leaf.notBefore.getTime();
  return now.getTime() > from + OVERDUE_SHARE * (leaf.notAfter.getTime() - from);
}

/** What has become worth a warning about a good generation because time went by. */
export function standingWarnings(generation: Generation, now: Date): readonly string[] {
  const warnings: string[] = [];
  if (isOverdue(generation, now)) {
    const expires = generation.notAfter.toISOString();
    warnings.push(
      `generation ${generation.number} is past two thirds of its life and was not renewed; expires ${expires}`,
    );
  }
  if (now < generation.notBefore) {
    const from = generation.notBefore.toISOString();
    warnings.push(`the clock is before generation ${generation.number} (valid from ${from})`);
  }
  for (const crl of generation.crls) {
    if (!crl.nextUpdate || now <= crl.nextUpdate) continue;
    const issuer = formatName(crl.issuer);
    warnings.push(
      `revocation list of ${issuer} expired ${crl.nextUpdate.toISOString()}: its peers are refused`,
    );
  }
  return warnings;
}
