import { type CommandContext, createHealth, createMetrics, runDaemon, type Task } from "@newleaf/daemon";
import { type Consumer, type IdentitySource, systemClock } from "@newleaf/rotation";
import { createIdentityMetrics, type IdentityCounts } from "./identity-metrics.ts";
import { filePlan, type IdentityPlan, type PlanParts } from "./identity-plan.ts";
import { parseSanMatchers } from "./san-matcher.ts";
import {
  type NamedFiles,
  readFiles,
  readPlace,
  refuseUnknownContexts,
  type SdsConfig,
  shownIdentity,
  type TlsPlace,
} from "./sds-config.ts";
import { rotationsDocument, secretsDocument } from "./sds-report.ts";
import { createSdsServer, type SdsServer } from "./sds-server.ts";
import { createServedIdentity, type ServedIdentity } from "./served-identity.ts";
import { spiffePlan } from "./spiffe-plan.ts";
import { listenOnTls } from "./tls-listener.ts";
import { type Listener, listenOnSocket } from "./unix-listener.ts";

/** Serves from the first moment on; what there is nothing of yet is sent when it comes. */
export async function runSds(config: SdsConfig, context: CommandContext): Promise<void> {
  const { logger } = context;
  const place = readPlace(config);
  const sans = parseSanMatchers(config.matchSan);
  const files = readFiles(config);
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
  const plans = plansOf(config, files, { store, distrust, sans, logger, clock });
  refuseUnknownContexts([...sans.keys()], plans);
  await using listeners = createListeners(config, server, context);
  const shown = place.kind === "tls" ? shownIdentity(config, plans) : undefined;
  for (const plan of plans) {
    const identity = createServedIdentity(plan, {
      subscribers,
      logger,
      clock,
      ackTimeoutMs: config.ackTimeout,
      onRecord: (record) => counts.record(plan.name, record),
      ...(place.kind === "tls" &&
        plan === shown && { consumers: (source) => listeners.secure(place, source, counts) }),
    });
    identities.push(identity);
    const check = plans.length === 1 ? "identity" : `identity ${plan.name}`;
    health.addReadiness(check, () => identity.check(new Date(clock.now())));
  }
  health.addReadiness("envoys", () => server.check());
  if (place.kind === "unix") await listeners.local(place.path);

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
    tasks: identities.map(
      (identity): Task => ({ name: identity.name, run: (signal) => identity.run(signal) }),
    ),
  });
}

function plansOf(
  { allowIdentityChange, workloadApi }: SdsConfig,
  { identities, crls }: NamedFiles,
  parts: PlanParts,
): readonly IdentityPlan[] {
  const files = [...identities].map(([name, directory]) =>
    filePlan({ name, directory, crl: crls.get(name) }, { ...parts, allowIdentityChange }),
  );
  return workloadApi === undefined ? files : [...files, spiffePlan({ address: workloadApi }, parts)];
}

/** Where Envoys connect. Disposal takes no more connections. */
interface Listeners extends AsyncDisposable {
  local(path: string): Promise<void>;
  /** Listens once there is something to show, and rotates with it. */
  secure(place: TlsPlace, source: IdentitySource, counts: IdentityCounts): Promise<readonly Consumer[]>;
}

function createListeners(config: SdsConfig, server: SdsServer, { logger }: CommandContext): Listeners {
  const listeners: Listener[] = [];
  const maxConnections = config.maxStreams;
  return {
    async local(path) {
      const listener = await listenOnSocket(path, {
        mode: config.socketMode,
        maxConnections,
        onConnection: (socket) => server.accept(socket),
      });
      listeners.push(listener);
      logger.info({ listen: listener.address }, "ready");
    },
    async secure({ address, authorize }, source, counts) {
      const listener = await listenOnTls(address, source, {
        authorize,
        maxConnections,
        logger,
        onConnection: (socket) => server.accept(socket),
        onRejection: ({ code }) => counts.rejected(code),
      });
      listeners.push(listener);
      logger.info({ listen: listener.address, identity: source.current().identity }, "ready");
      return [listener.consumer];
    },
    async [Symbol.asyncDispose]() {
      for (const listener of listeners) await listener[Symbol.asyncDispose]();
    },
  };
}
