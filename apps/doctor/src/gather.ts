import type { Logger } from "@newleaf/daemon";
import type { ConnectKubeOptions } from "@newleaf/kube";
import type { Facts, StoreFacts } from "./facts.ts";
import { askPostgres, type PostgresLook, readPostgresDirectory } from "./internal/look-at-postgres.ts";
import { locateStore, lookAtStore } from "./internal/look-at-store.ts";
import { lookAtTarget } from "./internal/look-at-target.ts";
import { lookAtWebhook, type WebhookLook } from "./internal/look-at-webhook.ts";
import { lookAtWorkloadApi } from "./internal/look-at-workload-api.ts";

export interface GatherOptions {
  readonly targets: readonly string[];
  /** The directory that the targets serve from; by default where PostgreSQL says that it reads. */
  readonly certificates?: string | undefined;
  /** The directory of what connects to them. */
  readonly clientCertificates?: string | undefined;
  /** A connection string, or the data directory. */
  readonly postgres?: string | undefined;
  readonly postgresData?: string | undefined;
  /** `unix:///run/spire/agent.sock`; asked as this process, which gets the identity that it is attested to have. */
  readonly workloadApi?: string | undefined;
  /** An elected webhook certificate, and the API server that knows of it. */
  readonly webhook?: (WebhookLook & Pick<ConnectKubeOptions, "kubeconfig" | "context" | "env">) | undefined;
  readonly servername?: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/** Looks at everything once, and changes nothing. A kubeconfig that cannot work rejects with ERR_KUBE_CONFIG. */
export async function gather(options: GatherOptions): Promise<Facts> {
  const { timeoutMs, signal, servername } = options;
  const look = await lookAtPostgres(options);
  const [stored, client, workloadApi, webhook] = await Promise.all([
    directoryStore(options.certificates) ?? (look?.store && lookAtStore(look.store)),
    directoryStore(options.clientCertificates),
    options.workloadApi === undefined ? undefined : lookAtWorkloadApi(options.workloadApi, options),
    options.webhook && lookAtWebhook(options.webhook, { ...options, ...options.webhook }),
  ]);
  const targets = await Promise.all(
    options.targets.map((target) =>
      lookAtTarget(target, {
        stored: stored?.leaf,
        client: client?.generation,
        servername,
        timeoutMs,
        signal,
      }),
    ),
  );
  return {
    targets: targets.flat(),
    ...(stored ? { stored } : {}),
    ...(client ? { client } : {}),
    ...(look ? { postgres: look.facts } : {}),
    ...(workloadApi ? { workloadApi } : {}),
    ...(webhook ? { webhook } : {}),
  };
}

function lookAtPostgres(options: GatherOptions): Promise<PostgresLook> | undefined {
  if (options.postgres !== undefined) return askPostgres(options.postgres, options.timeoutMs);
  return options.postgresData === undefined ? undefined : readPostgresDirectory(options.postgresData);
}

function directoryStore(directory: string | undefined): Promise<StoreFacts> | undefined {
  return directory === undefined ? undefined : locateStore(directory).then(lookAtStore);
}
