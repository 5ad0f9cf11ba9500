export interface EnvoyBootstrapOptions {
  readonly port: number;
  /** The unix socket of the secret discovery service. */
  readonly sds: string;
  readonly client: string;
  readonly upstream: { readonly port: number; readonly id: string };
}

const TYPES = "type.googleapis.com/envoy.extensions";
const HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** As docs/envoy.md has it: a listener that demands an SVID, and one cluster, each saying who the peer must be. */
export function envoyBootstrap({ port, sds, client, upstream }: EnvoyBootstrapOptions): object {
  return {
    node: { id: "newleaf-demo", cluster: "shop" },
    static_resources: {
      listeners: [listener(port, client)],
      clusters: [
        {
          name: "sds",
          typed_extension_protocol_options: {
            [HTTP]: {
              "@type": `${TYPES}.upstreams.http.v3.HttpProtocolOptions`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: endpoint("sds", { pipe: { path: sds } }),
        },
        {
          name: "backend",
          typed_extension_protocol_options: {
            [HTTP]: {
              "@type": `${TYPES}.upstreams.http.v3.HttpProtocolOptions`,
              // Each request is a handshake of its own, with what both sides have at that moment.
              common_http_protocol_options: { max_requests_per_connection: 1 },
              explicit_http_config: { http_protocol_options: {} },
            },
          },
          load_assignment: endpoint("backend", address(upstream.port)),
          transport_socket: tls("UpstreamTlsContext", upstream.id, { max_session_keys: 0 }),
        },
      ],
    },
  };
}

function listener(port: number, client: string): object {
  const manager = {
    "@type": `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "frontend",
    route_config: {
      virtual_hosts: [
        {
          name: "backend",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "backend", timeout: "10s" } }],
        },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${TYPES}.filters.http.router.v3.Router` },
      },
    ],
  };
  return {
    name: "frontend",
    address: address(port),
    filter_chains: [
      {
        transport_socket: tls("DownstreamTlsContext", client, {
          require_client_certificate: true,
          disable_stateless_session_resumption: true,
        }),
        filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }],
      },
    ],
  };
}

function tls(context: "DownstreamTlsContext" | "UpstreamTlsContext", peer: string, more: object): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${TYPES}.transport_sockets.tls.v3.${context}`,
      ...more,
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
        tls_certificate_sds_secret_configs: [secret("default")],
        combined_validation_context: {
          default_validation_context: {
            match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: peer } }],
          },
          validation_context_sds_secret_config: secret("ROOTCA"),
        },
      },
    },
  };
}

function secret(name: string): object {
  return {
    name,
    sds_config: {
      resource_api_version: "V3",
      api_config_source: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "sds" } }],
      },
    },
  };
}

function endpoint(cluster_name: string, at: object): object {
  return { cluster_name, endpoints: [{ lb_endpoints: [{ endpoint: { address: at } }] }] };
}

function address(port_value: number): object {
  return { socket_address: { address: "127.0.0.1", port_value } };
}
