import {
  createIdentityHolder,
  type Generation,
  type IdentityHolder,
  type IdentityMaterial,
  type IdentitySource,
  type Refusal,
  systemClock,
} from "@newleaf/rotation";
import { createTrustBundle } from "@newleaf/x509";
import { SpiffeError } from "./error.ts";
import { type Follower, followWorkloadApi } from "./internal/follow-workload-api.ts";
import { createSpiffePeerTrust } from "./peer-trust.ts";
import { asSpiffeId, type SpiffeId } from "./spiffe-id.ts";
import {
  createWorkloadApiClient,
  type WorkloadApiClient,
  type WorkloadApiClientOptions,
} from "./workload-api-client.ts";
import type { WorkloadApiStatus } from "./workload-status.ts";
import type { X509Context } from "./x509-context.ts";
import type { X509Svid } from "./x509-svid.ts";

export interface WatchSpiffeOptions extends WorkloadApiClientOptions {
  /** Instead of an address and limits. */
  readonly client?: Pick<WorkloadApiClient, "watchX509Context">;
  /** The SVID with this hint. Default: the first, which is the default identity (Workload API section 5.3). */
  readonly hint?: string;
  /** The first SVID with this ID. */
  readonly id?: SpiffeId | string;
  /** Which SVID to use; undefined: none of these. Must be quick and not throw. */
  readonly pick?: (svids: readonly X509Svid[]) => X509Svid | undefined;
  /** Whether the workload may be given another SPIFFE ID or other names than before. Default true. */
  readonly allowIdentityChange?: boolean;
  /** How long the identity stays in use once the Workload API denies that there is one. Default 30 s. */
  readonly graceMs?: number;
  /** How long to wait for the first good identity. Default 60 s. */
  readonly waitMs?: number;
  /** Ends the wait for the first good identity; afterwards only disposal ends the source. */
  readonly signal?: AbortSignal;
  /** Told of each refusal, also while the first good identity is still waited for. */
  readonly onRefusal?: (refusal: Refusal) => void;
}

/** The workload's X.509 identity from the Workload API, for everything in `@newleaf/rotation` that takes a source. */
export interface X509Source extends IdentitySource {
  /** The SVID of the current generation. Throws ERR_SPIFFE_NO_SVID while it is withdrawn. */
  svid(): X509Svid;
  /** The last message: all SVIDs and bundles. Empty once the identity was withdrawn. */
  context(): X509Context;
  workloadApi(): WorkloadApiStatus;
}

const NOTHING: X509Context = Object.freeze({
  svids: Object.freeze([]),
  bundles: new Map(),
  crls: Object.freeze([]),
  warnings: Object.freeze([]),
});

/**
 * Follows the workload's X.509-SVID. Peers verify to the bundle of their own trust domain. Resolves with the first good
 * identity; rejects with the reason there is none.
 *
 * The last good identity stays in use while the Workload API cannot be reached, or sends what cannot be used. It is
 * withdrawn at once when a message leaves it out, and `graceMs` after the Workload API denied it (PermissionDenied)
 * without having sent another. Given revocation lists, every authority must have a current one.
 */
export async function watchSpiffe(options: WatchSpiffeOptions): Promise<X509Source> {
  const pickers = [options.hint, options.id, options.pick].filter((picker) => picker !== undefined);
  if (pickers.length > 1) {
    throw new SpiffeError("ERR_SPIFFE_OPTIONS", "either a hint, an ID or a function picks the SVID");
  }
  const clock = options.clock ?? systemClock;
  const client = options.client ?? createWorkloadApiClient(options);
  const holder = createIdentityHolder({
    clock,
    ...(options.logger && { logger: options.logger }),
    ...(options.onRefusal && { onRefusal: options.onRefusal }),
    allowIdentityChange: options.allowIdentityChange ?? true,
    names: { certificate: "X.509-SVID", key: "its key", trust: "bundle", crl: "revocation list" },
    warnings: () => identity.context.warnings,
  });
  const identity = new HeldSvid(holder, options);
  const follower: Follower = followWorkloadApi<X509Context>({
    watch: (signal) => client.watchX509Context(signal),
    clock,
    graceMs: options.graceMs ?? 30_000,
    take: (context, receivedAt) => identity.take(context, receivedAt),
    fail: (reason, error) => {
      holder.refuse(reason === "permission_denied" ? "missing" : "unreadable", error.message);
    },
    lapse: (reason) => identity.withdraw(reason),
  });
  const close = async (): Promise<void> => {
    holder.close();
    await follower.close();
  };
  try {
    const { waitMs = 60_000, signal } = options;
    const ready = (waiting: AbortSignal): Promise<unknown> => holder.first({ signal: waiting });
    await follower.first({ ready, why: () => identity.problem, waitMs, signal });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ...holder.asSource({ reload: () => follower.reload(), close }),
    svid: () => identity.svid(),
    context: () => identity.context,
    workloadApi: () => follower.status(),
  };
}

/** Turns messages into offers to the holder, and remembers which SVID each generation was made of. */
class HeldSvid {
  context: X509Context = NOTHING;
  /** Why the last message gave no identity. */
  problem: SpiffeError | undefined;
  readonly #holder: IdentityHolder;
  readonly #pick: (svids: readonly X509Svid[]) => X509Svid | undefined;
  readonly #wanted: string;
  #offered: readonly X509Svid[] = [];

  constructor(holder: IdentityHolder, options: Pick<WatchSpiffeOptions, "hint" | "id" | "pick">) {
    this.#holder = holder;
    ({ pick: this.#pick, wanted: this.#wanted } = picker(options));
  }

  take(context: X509Context, receivedAt: Date): void {
    this.context = context;
    const svid = this.#pick(context.svids);
    if (!svid) {
      const wanted = context.svids.length === 0 ? anySvid : this.#wanted;
      this.problem = new SpiffeError("ERR_SPIFFE_NO_SVID", `the Workload API has no ${wanted}`);
      if (!this.#holder.current()) this.#holder.refuse("missing", this.problem.message);
      this.#holder.withdraw(this.problem.message);
      return;
    }
    const material = materialOf(svid, context);
    const gate = this.#holder.evaluate(material);
    if (!gate.ok) this.#keepSvid(context, receivedAt);
    const current = this.#current();
    this.#offered = current ? [svid, current] : [svid];
    const result = this.#holder.offer(material, receivedAt, gate.ok ? gate : undefined);
    this.problem =
      result.outcome === "refused"
        ? new SpiffeError("ERR_SPIFFE_X509_SVID", `${svid.id}: ${result.refusal.message}`)
        : undefined;
  }

  withdraw(reason: string): void {
    this.context = NOTHING;
    this.#holder.withdraw(reason);
  }

  svid(): X509Svid {
    const generation = this.#holder.current();
    const current = this.#current();
    if (current && generation?.withdrawn === undefined) return current;
    throw new SpiffeError("ERR_SPIFFE_NO_SVID", generation?.withdrawn ?? "there is no identity");
  }

  // The new SVID is no good, but trust that was taken away is not kept with the old one, nor is an old SVID that the
  // message has replaced by that of another identity.
  #keepSvid(context: X509Context, receivedAt: Date): void {
    const current = this.#current();
    const generation = this.#holder.current();
    if (!current || !generation || generation.withdrawn !== undefined) return;
    if (!context.svids.some(({ id }) => `${id}` === `${current.id}`)) {
      this.#holder.withdraw(`the Workload API no longer has ${current.id} for this workload`);
      return;
    }
    const material = materialOf(current, context);
    if (!sameTrust(material, generation)) this.#holder.offer(material, receivedAt);
  }

  #current(): X509Svid | undefined {
    const leaf = this.#holder.current()?.leaf.sha256;
    return this.#offered.find(({ certificates }) => certificates[0]?.sha256 === leaf);
  }
}

const anySvid = "SVID for this workload";

function picker({ hint, id, pick }: Pick<WatchSpiffeOptions, "hint" | "id" | "pick">): {
  readonly pick: (svids: readonly X509Svid[]) => X509Svid | undefined;
  readonly wanted: string;
} {
  if (pick) return { pick, wanted: "SVID of those that were asked for" };
  if (id !== undefined) {
    const wanted = `${asSpiffeId(id)}`;
    return {
      pick: (svids) => svids.find((svid) => `${svid.id}` === wanted),
      wanted: `SVID for ${wanted}`,
    };
  }
  if (hint === undefined) return { pick: ([first]) => first, wanted: anySvid };
  const wanted = `SVID with the hint ${JSON.stringify(hint)}`;
  return { pick: (svids) => svids.find((svid) => svid.hint === hint), wanted };
}

function materialOf(svid: X509Svid, { bundles, crls }: X509Context): IdentityMaterial {
  return {
    certificates: svid.certificates,
    key: svid.key,
    trust: bundles.get(svid.id.trustDomain.name) ?? createTrustBundle([]),
    peerTrust: createSpiffePeerTrust(bundles),
    ...(crls.length > 0 && { crls }),
  };
}

function sameTrust({ peerTrust, crls }: IdentityMaterial, generation: Generation): boolean {
  const before = generation.crls.map(({ sha256 }) => sha256).sort();
  const after = (Array.isArray(crls) ? crls : []).map(({ sha256 }) => sha256).sort();
  return peerTrust?.sha256 === generation.peerTrust?.sha256 && before.join() === after.join();
}
