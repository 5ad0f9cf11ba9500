import type { Certificate } from "@newleaf/x509";

/** What was found, for scripts to branch on; the words are for people. docs/doctor.md lists them. */
export type DiagnosisCode =
  | "well"
  // Served against stored.
  | "not_reloaded"
  | "reload_refused"
  | "served_expired"
  | "foreign"
  | "stored_behind"
  // Trust.
  | "bundle_lacks_authority"
  | "chain_invalid"
  | "client_refused"
  // Stores.
  | "bootstrapping"
  | "file_missing"
  | "file_unreadable"
  | "files_torn"
  | "key_mismatch"
  | "key_permissions"
  | "stored_expired"
  | "stored_unusable"
  | "renewal_overdue"
  | "not_delivered"
  | "workload_api_unreachable"
  | "workload_api_denied"
  // Clients.
  | "old_connections"
  // An elected webhook certificate.
  | "certificates_never_issued"
  | "cert_timeout"
  | "no_leader"
  | "two_leaders"
  | "serving_secret_missing"
  | "announced_not_stored"
  | "lease_watch_failing"
  | "hash_mismatch_persists"
  | "ca_bundle_lacks_authority"
  | "ca_bundle_contested"
  | "name_not_covered"
  | "rollover_waiting"
  | "rbac_missing"
  // Not about certificates.
  | "nothing_listens"
  | "name_not_found"
  | "no_answer"
  | "no_tls"
  | "no_handshake"
  | "upstream_error"
  | "postgres_unreadable"
  | "no_replica_ready"
  | "replica_crashes"
  | "api_server_unreachable"
  | "not_asked";

export interface Diagnosis {
  readonly code: DiagnosisCode;
  /** The target, directory or address that it is about. */
  readonly subject: string;
  /** `wrong` makes the whole not well; a `note` is worth knowing. */
  readonly severity: "wrong" | "note";
  /** False: looking at certificates will not mend it. */
  readonly certificates: boolean;
  readonly message: string;
  readonly remedy?: string;
  readonly command?: string;
}

/** A line of the table: one target. */
export interface Row {
  readonly target: string;
  readonly stored: Certificate | undefined;
  readonly served: Certificate | undefined;
  readonly lastReload: Date | undefined;
  readonly verdict: DiagnosisCode;
}

export interface Report {
  readonly ok: boolean;
  readonly rows: readonly Row[];
  readonly diagnoses: readonly Diagnosis[];
}
