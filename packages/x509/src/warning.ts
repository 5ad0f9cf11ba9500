/** Deviations that occur in real certificates and are tolerated; each code names one rule that is bent. */
export const WARNINGS = {
  serial_not_positive: "the serial number is zero or negative (RFC 5280 4.1.2.2)",
  serial_too_long: "the serial number has more than 20 octets (RFC 5280 4.1.2.2)",
  country_code: "a country is not two capital letters (X.520)",
  legacy_string: "a name uses T61String, BMPString or UniversalString (RFC 5280 4.1.2.4)",
  printable_string: "a PrintableString has characters outside of its set (X.680 41.4)",
  time_encoding: "a time before 2050 is a GeneralizedTime (RFC 5280 4.1.2.5)",
  boolean_encoding: "TRUE is not written as 0xff (X.690 11.1)",
  default_encoded: "a value is written although it is the default (X.690 11.5)",
  empty_extension: "a list that must not be empty is (RFC 5280 4.2.1.6, 5.1.2.6)",
  key_usage_encoding: "key usage has trailing zero bits or padding (X.690 11.2)",
  subject_key_identifier_raw:
    "the subject key identifier is not wrapped in an OCTET STRING (RFC 5280 4.2.1.2)",
  algorithm_parameters:
    "the signature algorithm has NULL where none belongs, or lacks it (RFC 4055, RFC 5758)",
  algorithm_mismatch: "the signed and the outer signature algorithm differ in parameters (RFC 5280 4.1.1.2)",
  weak_signature: "signed with MD5 or SHA-1; path validation refuses it",
  ec_explicit_parameters: "the curve of the public key is spelled out (RFC 5480 2.1.1)",
  unique_identifier: "unique identifiers are present; they are ignored (RFC 5280 4.1.2.8)",
  extensions_before_version: "extensions in a version that has none (RFC 5280 4.1.2.9, 5.1.2.7)",
} as const;

export type WarningCode = keyof typeof WARNINGS;

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
