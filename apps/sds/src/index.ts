/**
 * Envoy's secret discovery service (SDS) from any identity source: each secret encoded once for each change, sent over
 * both protocols, and followed until every Envoy has taken it over.
 *
 * ```ts
 * await using server = createSdsServer({ limits: { maxNames: 256, maxStreams: 1_000 }, keepaliveMs: 30_000, logger });
 * await using listener = await listenOnSocket("/run/newleaf/sds.sock", {
 *   mode: 0o600,
 *   maxConnections: 1_000,
 *   onConnection: (socket) => server.accept(socket),
 * });
 * server.store.publish(generationSecrets("web", source.current(), { distrust: server.distrust, sans: new Map() }));
 * ```
 * @module
 */
import type { Command } from "@newleaf/daemon";
import { sdsCommand } from "./sds-command.ts";

export { whenAcknowledged } from "./acknowledged.ts";
export type { Distrust } from "./distrust.ts";
export { contextName, generationSecrets } from "./file-secrets.ts";
export type { SanMatcher, SanMatchers } from "./san-matcher.ts";
export { createSdsServer, type SdsServer, type SdsServerOptions } from "./sds-server.ts";
export type { SdsLimits } from "./sds-service.ts";
export type { SecretContent } from "./secret-content.ts";
export type { PublishedSecret, SecretStore } from "./secret-store.ts";
export { isSpiffeName, spiffeSecrets } from "./spiffe-secrets.ts";
export type { Subscriber, Subscribers } from "./subscribers.ts";
export { type Listener, listenOnSocket } from "./unix-listener.ts";
export { sdsCommand };

/** The commands of this program, for the command line to find. */
export const commands: readonly Command[] = [sdsCommand];
