import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, locate, type Peer, type PeerOptions, reportedVersion, startProcess } from "./peer.ts";

/** Envoy with its secrets from files (SDS): it watches the directory and reloads by itself. */
export async function startEnvoy(options: PeerOptions): Promise<Peer> {
  const { directory, workDirectory, pinCpu } = options;
  const program = await locate("NEWLEAF_ENVOY");
  const port = await freePort();
  const write = async (name: string, value: unknown): Promise<string> => {
    const path = join(workDirectory, name);
    await writeFile(path, JSON.stringify(value, null, 2));
    return path;
  };
  const watched_directory = { path: directory };
  const identity = await write(
    "envoy-identity.json",
    secret("identity", {
      tls_certificate: {
        certificate_chain: { filename: join(directory, "tls.crt") },
        private_key: { filename: join(directory, "tls.key") },
        watched_directory,
      },
    }),
  );
  const trust = await write(
    "envoy-trust.json",
    secret("trust", {
      validation_context: { trusted_ca: { filename: join(directory, "ca.crt") }, watched_directory },
    }),
  );
  const bootstrap = await write("envoy.json", envoyBootstrap(port, { identity, trust }));
  const { pid, stop } = await startProcess({
    name: "envoy",
    program,
    args: [
      ...["--config-path", bootstrap, "--disable-hot-restart", "--log-level", "warning"],
      ...(pinCpu === undefined ? [] : ["--concurrency", "1"]),
    ],
    port,
    workDirectory,
    pinCpu,
  });
  return {
    name: "envoy",
    version: await reportedVersion(program, ["--version"], /\/(\d+\.\d+\.\d+)\//),
    pid,
    port,
    stop,
  };
}

const api = "type.googleapis.com/envoy.extensions";

/** A file holds one secret: with two in it, Envoy rejects both and resets every connection. */
function secret(name: string, value: object): unknown {
  return { resources: [{ "@type": `${api}.transport_sockets.tls.v3.Secret`, name, ...value }] };
}

function envoyBootstrap(port: number, secretFiles: { identity: string; trust: string }): unknown {
  const fromFile = (name: "identity" | "trust"): unknown => ({
    name,
    sds_config: { resource_api_version: "V3", path_config_source: { path: secretFiles[name] } },
  });
  return {
    // SDS is refused without a node.
    node: { id: "bench", cluster: "bench" },
    static_resources: {
      listeners: [
        {
          name: "mtls",
          address: { socket_address: { address: "127.0.0.1", port_value: port } },
          filter_chains: [
            {
              transport_socket: {
                name: "envoy.transport_sockets.tls",
                typed_config: {
                  "@type": `${api}.transport_sockets.tls.v3.DownstreamTlsContext`,
                  require_client_certificate: true,
                  common_tls_context: {
                    tls_params: { tls_minimum_protocol_version: "TLSv1_3" },
                    tls_certificate_sds_secret_configs: [fromFile("identity")],
                    validation_context_sds_secret_config: fromFile("trust"),
                  },
                },
              },
              filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: hello }],
            },
          ],
        },
      ],
    },
  };
}

const hello = {
  "@type": `${api}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: "mtls",
  codec_type: "HTTP1",
  route_config: {
    virtual_hosts: [
      {
        name: "any",
        domains: ["*"],
        routes: [
          { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "hello\n" } } },
        ],
      },
    ],
  },
  http_filters: [
    {
      name: "envoy.filters.http.router",
      typed_config: { "@type": `${api}.filters.http.router.v3.Router` },
    },
  ],
};
