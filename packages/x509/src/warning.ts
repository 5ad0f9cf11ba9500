/** Codes of deviations that occur in real certificates and are tolerated; each names one rule that is bent. */
export type WarningCode =
  | "serial_not_positive"
  | "serial_too_long"
  | "country_code"
  | "legacy_string"
  | "printable_string"
  | "time_encoding"
  | "boolean_encoding"
  | "default_encoded"
  | "empty_extension"
  | "key_usage_encoding"
  | "subject_key_identifier_raw"
  | "algorithm_parameters"
  | "algorithm_mismatch"
  | "weak_signature"
  | "ec_explicit_parameters"
  | "unique_identifier"
  | "extensions_before_version";

/** A tolerated deviation of one certificate, request or list. */
export interface X509Warning {
  readonly code: WarningCode;
  readonly message: string;
}

/** Reports a deviation while parsing. */
export type Warn = (code: WarningCode, message: string) => void;

/** Collects warnings, each kind of message once. */
export function collectWarnings(): { readonly warnings: X509Warning[]; readonly warn: Warn } {
  const warnings: X509Warning[] = [];
  const warn: Warn = (code, message) => {
    if (!warnings.some((known) => known.code === code && known.message === message)) {
      warnings.push({ code, message });
    }
  };
  return { warnings, warn };
}
