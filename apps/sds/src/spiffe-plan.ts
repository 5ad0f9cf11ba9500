import { usageError } from "@newleaf/daemon";
import type { Generation } from "@newleaf/rotation";
import {
  createWorkloadApiClient,
  SpiffeError,
  verifyX509Svid,
  type WorkloadApiClient,
  type WorkloadApiClientOptions,
  type WorkloadApiUpdate,
  watchSpiffe,
  type X509Context,
  type X509Source,
  type X509Svid,
} from "@newleaf/spiffe";
import type { IdentityPlan, OpenIdentity, PlanParts } from "./identity-plan.ts";
import { isSpiffeContext, isSpiffeName, spiffeSecrets } from "./spiffe-secrets.ts";

/**
 * Whatever the Workload API gives to this process: all SVIDs, its own bundle and the federated ones. Throws a usage error
 * for an address that cannot be one.
 */
export function spiffePlan(
  { address }: { readonly address: string | undefined },
  parts: PlanParts,
): IdentityPlan {
  const { logger, clock } = parts;
  const client = createClient({ address, logger, clock });
  return {
    name: "workload-api",
    mayTrustAs: isSpiffeContext,
    async open({ signal, onRefusal }) {
      let identity: WorkloadIdentity | undefined;
      const source = await watchSpiffe({
        client: announceUpdates(client, (update) => {
          identity?.refresh();
          if (!identity && update.kind === "failure") onRefusal(update.error);
        }),
        onRefusal,
        waitMs: Number.POSITIVE_INFINITY,
        signal,
        logger,
        clock,
      });
      identity = new WorkloadIdentity(source, parts);
      return identity;
    },
  };
}

function createClient(options: WorkloadApiClientOptions): WorkloadApiClient {
  try {
    return createWorkloadApiClient(options);
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    throw usageError(`--workload-api: ${error.message}`, "write unix:///PATH or tcp://IP:PORT");
  }
}

/** Calls back after the reader has taken an update in, also when its own identity did not change by it. */
function announceUpdates(
  client: WorkloadApiClient,
  onTaken: (update: WorkloadApiUpdate<X509Context>) => void,
): Pick<WorkloadApiClient, "watchX509Context"> {
  return {
    async *watchX509Context(signal) {
      for await (const update of client.watchX509Context(signal)) {
        yield update;
        onTaken(update);
      }
    },
  };
}

type Served = Pick<X509Context, "svids" | "bundles" | "crls">;

/** Of one workload, what clients remember included. */
const MOST_NAMES = 2_000;

const NOTHING: Served = { svids: [], bundles: new Map(), crls: [] };

class WorkloadIdentity implements OpenIdentity {
  readonly source: X509Source;
  readonly #parts: PlanParts;
  readonly #names = new Set<string>();
  #others: ReadonlyMap<string, X509Svid> = new Map();
  #listsGiven = false;

  constructor(source: X509Source, parts: PlanParts) {
    this.source = source;
    this.#parts = parts;
  }

  publish(_generation: Generation): void {
    this.refresh();
  }

  /** What is current now, which may be newer than the generation that is being loaded. */
  refresh(): void {
    const served = this.#served();
    this.#warnOfUncheckedLists(served.crls.length > 0);
    const contents = spiffeSecrets(served, this.#names, this.#parts);
    for (const name of contents.keys()) this.#names.add(name);
    this.#parts.store.publish(contents);
  }

  names(): readonly string[] {
    return [...this.#names];
  }

  adopt(names: readonly string[]): void {
    const orphans = names
      .filter((name) => isSpiffeName(name) && !this.#names.has(name))
      .slice(0, MOST_NAMES - this.#names.size);
    if (orphans.length === 0) return;
    for (const name of orphans) this.#names.add(name);
    this.#parts.logger.warn(
      { names: orphans },
      "an Envoy has secrets that this workload has no more: revoked",
    );
    this.refresh();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
  }

  #served(): Served {
    const { withdrawn, crls } = this.source.current();
    if (withdrawn !== undefined) return NOTHING;
    const { svids, bundles } = this.source.context();
    const own = this.source.svid();
    const others = svids
      .filter(({ id }) => `${id}` !== `${own.id}`)
      .flatMap((svid) => this.#good(svid, bundles));
    this.#others = new Map(others.map((svid) => [`${svid.id}`, svid]));
    return { svids: [own, ...others], bundles, crls };
  }

  #warnOfUncheckedLists(given: boolean): void {
    if (given && !this.#listsGiven) {
      this.#parts.logger.warn(
        { secret: "ALL" },
        "Envoy checks no revocation lists where it trusts several domains",
      );
    }
    this.#listsGiven = given;
  }

  /** The source has judged its own SVID; the others are judged here, and the last good one stays. */
  #good(svid: X509Svid, bundles: X509Context["bundles"]): readonly X509Svid[] {
    const now = new Date(this.#parts.clock.now());
    const verdict = verifyX509Svid(svid.certificates, bundles, { now, purpose: "serverAuth" });
    if (verdict.ok) return [svid];
    const kept = this.#others.get(`${svid.id}`);
    const fields = { id: `${svid.id}`, reason: verdict.message, kept: kept !== undefined };
    this.#parts.logger.warn(fields, "X.509-SVID refused");
    return kept ? [kept] : [];
  }
}
