import { type HostPort, parseHostPort, usageError } from "@newleaf/daemon";
import { type AllowConfig, authorizerOf } from "@newleaf/observe";
import type { Authorizer } from "@newleaf/rotation";
import { type IdentityPlan, parseNamedPaths } from "./identity-plan.ts";

export interface SdsConfig extends AllowConfig {
  readonly listen: string;
  readonly socketMode: number;
  readonly identity: readonly string[];
  readonly crl: readonly string[];
  readonly workloadApi: string | undefined;
  readonly matchSan: readonly string[];
  readonly allowIdentityChange: boolean;
  readonly listenIdentity: string | undefined;
  readonly ackTimeout: number;
  readonly maxStreams: number;
  readonly maxNames: number;
  readonly keepalive: number;
}

export type UnixPlace = { readonly kind: "unix"; readonly path: string };
export type TlsPlace = {
  readonly kind: "tls";
  readonly address: HostPort;
  readonly authorize: Authorizer;
};

export function readPlace(config: SdsConfig): UnixPlace | TlsPlace {
  const authorize = authorizerOf(config);
  if (config.listen.startsWith("unix:")) {
    const path = config.listen.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (!path.startsWith("/"))
      throw usageError(`${config.listen} is not an absolute path`, "write it as unix:/PATH");
    if (authorize || config.listenIdentity !== undefined) {
      throw usageError(
        "--allow-* and --listen-identity are for TCP; a unix socket lets in whom its file mode lets in",
        "leave them out, and choose --socket-mode",
      );
    }
    return { kind: "unix", path };
  }
  if (!authorize) {
    throw usageError(
      "nobody would be let in: no Envoy is allowed",
      "name the Envoys with --allow-dns, --allow-uri or --allow-spiffe-id, or say --allow-any",
    );
  }
  return { kind: "tls", address: parseHostPort(config.listen), authorize };
}

export type NamedFiles = {
  readonly identities: ReadonlyMap<string, string>;
  readonly crls: ReadonlyMap<string, string>;
};

export function readFiles(config: SdsConfig): NamedFiles {
  const identities = parseNamedPaths("--identity", config.identity);
  const crls = parseNamedPaths("--crl", config.crl);
  for (const name of crls.keys()) {
    if (!identities.has(name)) throw usageError(`--crl: there is no identity ${name}`);
  }
  if (identities.size === 0 && config.workloadApi === undefined) {
    throw usageError("there is nothing to serve", "give --identity NAME=DIR or --workload-api ADDRESS");
  }
  return { identities, crls };
}

/** The identity that the TCP listener shows. */
export function shownIdentity({ listenIdentity }: SdsConfig, plans: readonly IdentityPlan[]): IdentityPlan {
  const [only, ...others] = plans;
  const found = listenIdentity === undefined ? only : plans.find(({ name }) => name === listenIdentity);
  if (found && (listenIdentity !== undefined || others.length === 0)) return found;
  throw usageError(
    "--listen-identity says which identity the listener shows",
    `it is one of ${plans.map(({ name }) => name).join(", ")}`,
  );
}

// A matcher for a context that does not exist would let in everybody whom it was meant to keep out.
export function refuseUnknownContexts(contexts: readonly string[], plans: readonly IdentityPlan[]): void {
  const unknown = contexts.filter((context) => !plans.some((plan) => plan.mayTrustAs(context)));
  if (unknown.length === 0) return;
  throw usageError(
    `--match-san: there is no validation context ${unknown.join(", ")}`,
    "they are NAME-ca for --identity NAME, and ROOTCA, ALL and spiffe://DOMAIN for --workload-api",
  );
}
