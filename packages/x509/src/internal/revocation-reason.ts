import type { RevocationReason } from "../crl.ts";

/** Reasons by their number in a CRL entry; 7 is not used (RFC 5280 5.3.1). */
export const REVOCATION_REASONS: readonly (RevocationReason | undefined)[] = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  undefined,
  "removeFromCRL",
  "privilegeWithdrawn",
  "aACompromise",
];
