interface SpireConfiguration {
  readonly directory: string;
  readonly trustDomain: string;
  readonly serverPort: number;
  readonly bundlePort: number;
  readonly adminSocket: string;
  readonly socketPath: string;
  readonly ownSvidSeconds?: number;
  readonly caSeconds?: number;
  readonly upstream?: { readonly certificateFile: string; readonly keyFile: string };
}

/** Keys are kept on disk, so that a restart is a restart and not a new authority. */
export function serverConfig(options: SpireConfiguration): string {
  const own = `${options.ownSvidSeconds ?? 3600}s`;
  return `
server {
  bind_address = "127.0.0.1"
  bind_port = "${options.serverPort}"
  socket_path = "${options.adminSocket}"
  trust_domain = "${options.trustDomain}"
  data_dir = "${options.directory}"
  log_level = "DEBUG"
  ca_ttl = "${options.caSeconds ?? 86_400}s"
  default_x509_svid_ttl = "${own}"
  agent_ttl = "${own}"
  experimental {
    cache_reload_interval = "500ms"
    feature_flags = ["forced_rotation"]
  }
  federation {
    bundle_endpoint {
      address = "127.0.0.1"
      port = ${options.bundlePort}
      refresh_hint = "1s"
      profile "https_spiffe" {}
    }
  }
}
plugins {
  DataStore "sql" {
    plugin_data {
      database_type = "sqlite3"
      connection_string = "${options.directory}/datastore.sqlite3"
    }
  }
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { keys_path = "${options.directory}/keys.json" } }
  ${options.upstream === undefined ? "" : upstreamAuthority(options.upstream)}
}
`;
}

function upstreamAuthority({
  certificateFile,
  keyFile,
}: NonNullable<SpireConfiguration["upstream"]>): string {
  return `UpstreamAuthority "disk" {
    plugin_data {
      cert_file_path = "${certificateFile}"
      key_file_path = "${keyFile}"
    }
  }`;
}

export function agentConfig(options: SpireConfiguration & { readonly joinToken: string }): string {
  return `
agent {
  data_dir = "${options.directory}"
  log_level = "DEBUG"
  server_address = "127.0.0.1"
  server_port = "${options.serverPort}"
  socket_path = "${options.socketPath}"
  trust_domain = "${options.trustDomain}"
  insecure_bootstrap = true
  join_token = "${options.joinToken}"
  experimental { sync_interval = "500ms" }
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${options.directory}" } }
  WorkloadAttestor "unix" { plugin_data {} }
}
`;
}
