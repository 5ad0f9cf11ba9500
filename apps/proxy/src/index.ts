/**
 * mTLS with rotating certificates for programs that cannot do it: in front of a service (`proxy server`) and on the
 * way out of a client (`proxy client`).
 *
 * ```ts
 * await using proxy = await startProxyServer({
 *   listen: { host: "127.0.0.1", port: 0 },
 *   target: parseServerTarget("http://127.0.0.1:8080"),
 *   source,
 *   authorize: allow.dns("frontend.shop.svc"),
 *   limits,
 *   logger,
 * });
 * ```
 * @module
 */
import type { Command } from "@newleaf/daemon";
import { proxyCommand } from "./proxy-commands.ts";

export { type ProxyClientOptions, type RunningProxy, startProxyClient } from "./client-proxy.ts";
export type { ForwardTimeouts } from "./forward-http.ts";
export { forwardedClientCert } from "./forwarded-client-cert.ts";
export type { ProxyLimits } from "./limits.ts";
export { formatListenAddress, type ListenAddress, parseListenAddress } from "./listener.ts";
export { type ProxyServerOptions, type RunningServerProxy, startProxyServer } from "./server-proxy.ts";
export { type ClientTarget, parseClientTarget, parseServerTarget, type ServerTarget } from "./target.ts";
export { proxyCommand };

/** The commands of this program, for the command line to find. */
export const commands: readonly Command[] = [proxyCommand];
