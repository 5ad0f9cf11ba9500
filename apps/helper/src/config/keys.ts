/** One key of the file that holds a single value; also a flag and a variable of that name. */
export interface KeyDefinition {
  /** What stands for the value in the help. */
  readonly value: string;
  readonly description: string;
  /** The key's name in versions 0.7 and 0.8. */
  readonly legacy?: string;
  /** Not of spiffe-helper. */
  readonly own?: true;
}

export type ScalarKey =
  | "agent_address"
  | "cert_dir"
  | "svid_file_name"
  | "svid_key_file_name"
  | "svid_bundle_file_name"
  | "cert_file_mode"
  | "key_file_mode"
  | "jwt_bundle_file_name"
  | "jwt_bundle_file_mode"
  | "jwt_svid_file_mode"
  | "add_intermediates_to_bundle"
  | "include_federated_domains"
  | "omit_expired"
  | "hint"
  | "cmd"
  | "cmd_args"
  | "pid_file_name"
  | "renew_signal"
  | "daemon_mode"
  | "log_level"
  | "publish"
  | "layout"
  | "credential_file_name"
  | "trust_domain_bundle_file_name"
  | "file_owner"
  | "fetch_timeout"
  | "renew_signal_on_jwt"
  | "restart";

/** Every key but `jwt_svids`, `health_checks` and `reload`, which have parts. */
export const scalarKeys: Readonly<Record<ScalarKey, KeyDefinition>> = {
  agent_address: {
    value: "address",
    description: "the Workload API: a path, unix:///path or tcp://IP:port",
    legacy: "agentAddress",
  },
  cert_dir: { value: "dir", description: "where files are written; must exist", legacy: "certDir" },
  svid_file_name: { value: "name", description: "certificates, the leaf first", legacy: "svidFileName" },
  svid_key_file_name: { value: "name", description: "the private key, PKCS#8", legacy: "svidKeyFileName" },
  svid_bundle_file_name: {
    value: "name",
    description: "authorities of the own trust domain",
    legacy: "svidBundleFileName",
  },
  cert_file_mode: { value: "mode", description: "mode of certificates and bundles (default: 0644)" },
  key_file_mode: { value: "mode", description: "mode of files with a private key (default: 0600)" },
  jwt_bundle_file_name: { value: "name", description: "JWT bundles as JSON, by trust domain" },
  jwt_bundle_file_mode: { value: "mode", description: "mode of the JWT bundles (default: 0600)" },
  jwt_svid_file_mode: { value: "mode", description: "mode of JWT SVIDs (default: 0600)" },
  add_intermediates_to_bundle: {
    value: "bool",
    description: "intermediates go to the bundle, not behind the leaf",
    legacy: "addIntermediatesToBundle",
  },
  include_federated_domains: {
    value: "bool",
    description: "authorities of federated trust domains go to the bundle too",
  },
  omit_expired: { value: "bool", description: "leave expired certificates out" },
  hint: { value: "hint", description: "which SVID, if there are several; the first by default" },
  cmd: { value: "program", description: "started after the first write, then signalled" },
  cmd_args: { value: "args", description: "its arguments, separated by spaces", legacy: "cmdArgs" },
  pid_file_name: { value: "file", description: "file with the id of a process to signal" },
  renew_signal: {
    value: "signal",
    description: "what to send after a write, such as SIGHUP",
    legacy: "renewSignal",
  },
  daemon_mode: { value: "true|false", description: "false: fetch once, write, end (default: true)" },
  log_level: {
    value: "level",
    description: "least severe log lines to write to stderr: debug, info, warn, error, silent",
    own: true,
  },
  publish: {
    value: "how",
    description: "directory (all files swapped at once) or files (one after another) (default: directory)",
    own: true,
  },
  layout: {
    value: "layout",
    description: "filesystem-delivery: names of the SPIFFE Filesystem Delivery draft",
    own: true,
  },
  credential_file_name: { value: "name", description: "private key and certificates in one file", own: true },
  trust_domain_bundle_file_name: {
    value: "pattern",
    description: "a bundle for each trust domain, such as {trust_domain}.pem",
    own: true,
  },
  file_owner: { value: "uid:gid", description: "owner of the files, in numbers", own: true },
  fetch_timeout: {
    value: "duration",
    description: "with daemon_mode=false, how long to keep trying (default: 60s)",
    own: true,
  },
  renew_signal_on_jwt: {
    value: "bool",
    description: "signal after JWT SVIDs and bundles changed too",
    own: true,
  },
  restart: { value: "policy", description: "when the command ended: no, on-failure or always", own: true },
};

export type BlockKey = "jwt_svids" | "health_checks" | "reload";

/** Keys with parts: their value on the command line or in the environment is HCL or JSON. */
export const blockKeys: Readonly<Record<BlockKey, KeyDefinition>> = {
  jwt_svids: {
    value: "hcl",
    description: 'JWT SVIDs to write: [{ jwt_audience = "a", jwt_svid_file_name = "f" }]',
  },
  health_checks: {
    value: "hcl",
    description: "spiffe-helper's health endpoints: { listener_enabled = true }",
  },
  reload: {
    value: "hcl",
    description: 'one or more blocks: reload "nginx" { verify { address = "127.0.0.1:443" } }',
  },
};

export const scalarKeyNames: readonly ScalarKey[] = Object.keys(scalarKeys) as ScalarKey[];
export const blockKeyNames: readonly BlockKey[] = Object.keys(blockKeys) as BlockKey[];
