import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { component } from "./component.ts";
import { type RunningProcess, startProcess } from "./process.ts";

const api = "type.googleapis.com/envoy.extensions";

/** Secrets of one side of a connection, by name. */
interface TlsSecrets {
  readonly certificate: string;
  readonly context: string;
}

export interface EnvoyOptions {
  /** An existing folder. */
  readonly directory: string;
  /** The unix socket of the secret discovery service. */
  readonly sds: string;
  readonly protocol?: "GRPC" | "DELTA_GRPC";
  readonly downstream: TlsSecrets;
  readonly upstream: TlsSecrets;
  /** More listeners' secrets, each waited for on its own: for names that there is nothing of. */
  readonly others?: readonly TlsSecrets[];
}

/**
 * The real Envoy, twice itself: plain HTTP to `plainPort` goes to the cluster with the upstream secrets, which is the
 * listener with the downstream secrets, a full handshake for every request. Both sides come from the server of `sds`.
 */
export interface RunningEnvoy extends AsyncDisposable {
  readonly plainPort: number;
  readonly tlsPort: number;
  readonly process: RunningProcess;
  /** Through the admin interface. */
  admin(path: string): Promise<string>;
  stat(name: string): Promise<number>;
}

export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const program = component("NEWLEAF_ENVOY");
  if (program === undefined) throw new Error("Envoy is absent");
  const [plainPort = 0, tlsPort = 0, adminPort = 0, ...otherPorts] = await freePorts(
    3 + (options.others?.length ?? 0),
  );
  const file = join(options.directory, "envoy.json");
  const bootstrap = envoyBootstrap(options, { plainPort, tlsPort, adminPort, otherPorts });
  await writeFile(file, JSON.stringify(bootstrap, null, 2));
  const args = [
    "--config-path",
    file,
    "--disable-hot-restart",
    "--concurrency",
    "1",
    "--log-level",
    "warning",
  ];
  const process = startProcess(program, args);
  const admin = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${adminPort}${path}`, { signal: AbortSignal.timeout(5_000) })).text();
  return {
    plainPort,
    tlsPort,
    process,
    admin,
    stat: async (name) => Number(/: (\d+)/.exec(await admin(`/stats?filter=^${name}$`))?.[1] ?? Number.NaN),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

interface Ports {
  readonly plainPort: number;
  readonly tlsPort: number;
  readonly adminPort: number;
  readonly otherPorts: readonly number[];
}

function envoyBootstrap(options: EnvoyOptions, { plainPort, tlsPort, adminPort, otherPorts }: Ports): object {
  const { downstream, upstream, others = [] } = options;
  const secret = (name: string): object => ({
    name,
    sds_config: {
      resource_api_version: "V3",
      // Listeners open when their secrets are there, or after this.
      initial_fetch_timeout: "2s",
      api_config_source: {
        api_type: options.protocol ?? "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "sds" } }],
      },
    },
  });
  const common = ({ certificate, context }: TlsSecrets): object => ({
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificate_sds_secret_configs: [secret(certificate)],
    validation_context_sds_secret_config: secret(context),
  });
  const secure = (name: string, port: number, secrets: TlsSecrets): object =>
    listener(
      name,
      port,
      { direct_response: { status: 200, body: { inline_string: "hello\n" } } },
      {
        name: "envoy.transport_sockets.tls",
        typed_config: {
          "@type": `${api}.transport_sockets.tls.v3.DownstreamTlsContext`,
          require_client_certificate: true,
          disable_stateless_session_resumption: true,
          common_tls_context: common(secrets),
        },
      },
    );
  return {
    // SDS is refused without a node.
    node: { id: "envoy-under-test", cluster: "shop" },
    admin: { address: address(adminPort) },
    static_resources: {
      listeners: [
        listener("plain", plainPort, { route: { cluster: "upstream", timeout: "10s" } }),
        secure("mtls", tlsPort, downstream),
        ...others.map((secrets, index) => secure(`other-${index}`, otherPorts[index] ?? 0, secrets)),
      ],
      clusters: [
        {
          name: "sds",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": `${api}.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: endpoint("sds", { pipe: { path: options.sds } }),
        },
        {
          name: "upstream",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": `${api}.upstreams.http.v3.HttpProtocolOptions`,
              // Each request is a handshake of its own.
              common_http_protocol_options: { max_requests_per_connection: 1 },
              explicit_http_config: { http_protocol_options: {} },
            },
          },
          load_assignment: endpoint("upstream", address(tlsPort)),
          transport_socket: {
            name: "envoy.transport_sockets.tls",
            typed_config: {
              "@type": `${api}.transport_sockets.tls.v3.UpstreamTlsContext`,
              max_session_keys: 0,
              common_tls_context: common(upstream),
            },
          },
        },
      ],
    },
  };
}

function listener(name: string, port: number, action: object, transport_socket?: object): object {
  return {
    name,
    address: address(port),
    filter_chains: [
      {
        ...(transport_socket && { transport_socket }),
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": `${api}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: name,
              route_config: {
                virtual_hosts: [{ name, domains: ["*"], routes: [{ match: { prefix: "/" }, ...action }] }],
              },
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": `${api}.filters.http.router.v3.Router` },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function endpoint(cluster_name: string, at: object): object {
  return { cluster_name, endpoints: [{ lb_endpoints: [{ endpoint: { address: at } }] }] };
}

function address(port_value: number): object {
  return { socket_address: { address: "127.0.0.1", port_value } };
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
