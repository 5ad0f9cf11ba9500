import {
  type CommandContext,
  createHealth,
  createMetrics,
  parseHostPort,
  runDaemon,
  type Task,
  usageError,
} from "@newleaf/daemon";
import { type Authorizer, type Consumer, type IdentitySource, systemClock } from "@newleaf/rotation";
import { type AllowConfig, authorizerOf } from "./allow-options.ts";
import { createIdentityMetrics } from "./identity-metrics.ts";
import { filePlan, type IdentityPlan, type PlanParts, parseNamedPaths } from "./identity-plan.ts";
import { parseSanMatchers } from "./san-matcher.ts";
import { rotationsDocument, secretsDocument } from "./sds-report.ts";
import { createSdsServer } from "./sds-server.ts";
import { createServedIdentity, type ServedIdentity } from "./served-identity.ts";
import { spiffePlan } from "./spiffe-plan.ts";
import { listenOnTls } from "./tls-listener.ts";
import { type Listener, listenOnSocket } from "./unix-listener.ts";

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

/** Serves from the first moment on; what there is nothing of yet is sent when it comes. */
export async function runSds(config: SdsConfig, context: CommandContext): Promise<void> {
  const place = readPlace(config);
  const sans = parseSanMatchers(config.matchSan);
  const files = readFiles(config);
  const { logger } = context;
  const [health, metrics, clock] = [createHealth(), await createMetrics({ process: true }), systemClock];
  const identities: ServedIdentity[] = [];
  const counts = createIdentityMetrics(metrics, () => identities);

  await using server = createSdsServer({
    limits: { maxNames: config.maxNames, maxStreams: config.maxStreams },
    keepaliveMs: config.keepalive,
    logger,
    metrics,
    onOrphans: (names) => {
      for (const identity of identities) identity.adopt(names);
    },
  });
  const { store, subscribers, distrust } = server;
  const parts: PlanParts = { store, distrust, sans, logger, clock };
  const plans = plansOf(config, files, parts);
  refuseUnknownContexts([...sans.keys()], plans);
  await using listeners = createListeners();
  const listened = place.kind === "tls" ? shown(config, plans) : undefined;
  for (const plan of plans) {
    const identity = createServedIdentity(plan, {
      subscribers,
      logger,
      clock,
      ackTimeoutMs: config.ackTimeout,
      onRecord: (record) => counts.record(plan.name, record),
      ...(place.kind === "tls" &&
        plan === listened && { consumers: (source) => listenSecurely(place, source) }),
    });
    identities.push(identity);
    health.addReadiness(nameOfCheck(plan, plans), () => identity.check(new Date(clock.now())));
  }
  health.addReadiness("envoys", () => server.check());

  async function listenSecurely(
    { address, authorize }: TlsPlace,
    source: IdentitySource,
  ): Promise<readonly Consumer[]> {
    const listener = await listenOnTls(address, source, {
      authorize,
      maxConnections: config.maxStreams,
      logger,
      onConnection: (socket) => server.accept(socket),
      onRejection: ({ code }) => counts.rejected(code),
    });
    listeners.add(listener);
    logger.info({ listen: listener.address, identity: source.current().identity }, "ready");
    return [listener.consumer];
  }

  if (place.kind === "unix") {
    const listener = await listenOnSocket(place.path, {
      mode: config.socketMode,
      maxConnections: config.maxStreams,
      onConnection: (socket) => server.accept(socket),
    });
    listeners.add(listener);
    logger.info({ listen: listener.address }, "ready");
  }
  const tasks = identities.map(
    (identity): Task => ({ name: identity.name, run: (signal) => identity.run(signal) }),
  );
  await runDaemon(context, {
    health,
    metrics,
    routes: {
      "/rotations": () => rotationsDocument(identities, new Date(clock.now())),
      "/secrets": () => secretsDocument(store, subscribers),
    },
    reload: async () => {
      await Promise.all(identities.map((identity) => identity.reload()));
    },
    tasks,
  });
}

type UnixPlace = { readonly kind: "unix"; readonly path: string };
type TlsPlace = {
  readonly kind: "tls";
  readonly address: ReturnType<typeof parseHostPort>;
  readonly authorize: Authorizer;
};

function readPlace(config: SdsConfig): UnixPlace | TlsPlace {
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

type NamedFiles = {
  readonly identities: ReadonlyMap<string, string>;
  readonly crls: ReadonlyMap<string, string>;
};

function readFiles(config: SdsConfig): NamedFiles {
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

function plansOf(
  config: SdsConfig,
  { identities, crls }: NamedFiles,
  parts: PlanParts,
): readonly IdentityPlan[] {
  const { allowIdentityChange, workloadApi } = config;
  const files = [...identities].map(([name, directory]) =>
    filePlan({ name, directory, crl: crls.get(name) }, { ...parts, allowIdentityChange }),
  );
  return workloadApi === undefined ? files : [...files, spiffePlan({ address: workloadApi }, parts)];
}

/** The identity that the TCP listener shows. */
function shown({ listenIdentity }: SdsConfig, plans: readonly IdentityPlan[]): IdentityPlan {
  const [only, ...others] = plans;
  const found = listenIdentity === undefined ? only : plans.find(({ name }) => name === listenIdentity);
  if (found && (listenIdentity !== undefined || others.length === 0)) return found;
  throw usageError(
    "--listen-identity says which identity the listener shows",
    `it is one of ${plans.map(({ name }) => name).join(", ")}`,
  );
}

function nameOfCheck({ name }: IdentityPlan, plans: readonly IdentityPlan[]): string {
  return plans.length === 1 ? "identity" : `identity ${name}`;
}

// A matcher for a context that does not exist would let in everybody whom it was meant to keep out.
function refuseUnknownContexts(contexts: readonly string[], plans: readonly IdentityPlan[]): void {
  const unknown = contexts.filter((context) => !plans.some((plan) => plan.mayTrustAs(context)));
  if (unknown.length === 0) return;
  throw usageError(
    `--match-san: there is no validation context ${unknown.join(", ")}`,
    "they are NAME-ca for --identity NAME, and ROOTCA, ALL and spiffe://DOMAIN for --workload-api",
  );
}

interface Listeners extends AsyncDisposable {
  add(listener: Listener): void;
}

function createListeners(): Listeners {
  const listeners: Listener[] = [];
  return {
    add: (listener) => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      for (const listener of listeners) await listener[Symbol.asyncDispose]();
    },
  };
}
