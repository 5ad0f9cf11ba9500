import type { Item } from "./item.ts";

/** `error`: broken now. `warning`: will break, or breaks for some. `note`: worth knowing. */
export type Severity = "error" | "warning" | "note";

export type FindingCode =
  | "unreadable"
  | "encrypted_key"
  | "expired"
  | "not_yet_valid"
  | "expires_soon"
  | "valid_never"
  | "clock_skew"
  | "long_lived"
  | "no_names"
  | "wrong_usage"
  | "weak_key"
  | "weak_signature"
  | "ca_as_leaf"
  | "not_a_signer"
  | "deviation"
  | "chain_order"
  | "root_in_chain"
  | "several_leaves"
  | "duplicate"
  | "key_mismatch"
  | "unverified_chain"
  | "revoked"
  | "crl_expired"
  | "crl_expires_soon"
  | "crl_bad_signature"
  | "crl_missing"
  | "bad_request"
  | "readable_key";

/** Something about an item that a person should know, in their words. */
export interface Finding {
  readonly severity: Severity;
  readonly code: FindingCode;
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}

export function finding(
  severity: Severity,
  code: FindingCode,
  item: Item,
  message: string,
  hint?: string,
): Finding {
  return { severity, code, path: item.input.path, message, ...(hint === undefined ? {} : { hint }) };
}

const order: readonly Severity[] = ["error", "warning", "note"];

/** Whether a severity is at least as bad as another. */
export function isAtLeast(severity: Severity, limit: Severity): boolean {
  return order.indexOf(severity) <= order.indexOf(limit);
}

export function bySeverity(a: Finding, b: Finding): number {
  return order.indexOf(a.severity) - order.indexOf(b.severity);
}
