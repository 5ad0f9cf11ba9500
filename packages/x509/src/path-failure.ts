import type { Certificate } from "./certificate.ts";

/** Why no path from a certificate to the trust bundle is acceptable; docs of `validatePath` define each. */
export type PathFailureCode =
  | "unknown_authority"
  | "chain_incomplete"
  | "expired"
  | "not_yet_valid"
  | "bad_signature"
  | "wrong_usage"
  | "key_usage"
  | "not_a_ca"
  | "ca_as_leaf"
  | "path_length"
  | "name_constraints"
  | "unknown_critical_extension"
  | "revoked"
  | "crl_missing"
  | "crl_expired"
  | "weak_key"
  | "limit";

/** One failed rule and the certificate of the path that broke it. */
export interface PathFailure {
  readonly ok: false;
  readonly code: PathFailureCode;
  readonly message: string;
  readonly certificate: Certificate;
}

export function pathFailure(code: PathFailureCode, certificate: Certificate, message: string): PathFailure {
  return { ok: false, code, message, certificate };
}
