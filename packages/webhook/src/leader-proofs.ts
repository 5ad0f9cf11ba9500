import type { Clock, Logger } from "@newleaf/kube";
import { isProved, proveServed } from "@newleaf/rotation";
import type { Certificate, TrustBundle } from "@newleaf/x509";
import type { RetryPace } from "./internal/retry-pace.ts";
import type { Replica } from "./replica.ts";

/** Looks at what a replica serves: resolves with why it is not proved, or undefined. Rejecting is no proof either. */
export type ProveReplica = (
  replica: Replica,
  expected: Certificate,
  options: { readonly trust: TrustBundle; readonly signal: AbortSignal },
) => Promise<string | undefined>;

/** A handshake with the replica's own address. */
export function proveByHandshake(of: {
  readonly port: number;
  readonly servername: string | undefined;
}): ProveReplica {
  return async ({ name, address }, expected, { trust, signal }) => {
    if (address === undefined) return "it has no address yet";
    const target = {
      name: `${name} (${address}:${of.port})`,
      protocol: "tls",
      address: { host: address, port: of.port },
      ...(of.servername !== undefined && { servername: of.servername }),
    } as const;
    const [report] = await proveServed([target], expected, { trust, signal, withinMs: 3_000 });
    if (report && isProved(report)) return undefined;
    return `it is ${report?.verdict}${report?.message ? ` (${report.message})` : ""}`;
  };
}

/** Which replicas were seen to serve which certificate, and the asking in the background. */
export interface LeaderProofs extends AsyncDisposable {
  /** SHA-256 of `tls.crt`, by uid. */
  readonly proved: ReadonlyMap<string, string>;
  /** Asks those that are not being asked already. Returns at once; `onChange` is called when there is an answer. */
  ask(
    replicas: readonly Replica[],
    of: { readonly certHash: string; readonly leaf: Certificate; readonly trust: TrustBundle },
  ): void;
}

const LONGEST_PROOF_MS = 10_000;

export function createLeaderProofs(options: {
  readonly prove: ProveReplica;
  readonly pace: RetryPace;
  readonly clock: Clock;
  readonly logger: Logger;
  onChange(): void;
}): LeaderProofs {
  const { prove, pace, clock, logger, onChange } = options;
  const proved = new Map<string, string>();
  const asking = new Map<string, Promise<void>>();
  const closing = new AbortController();

  const ask: LeaderProofs["ask"] = (replicas, { certHash, leaf, trust }) => {
    const blocked = pace.blocked();
    for (const replica of replicas) {
      const { uid, name } = replica;
      const key = `proof of ${uid}`;
      if (asking.has(uid) || blocked.has(key) || closing.signal.aborted) continue;
      const one = async (): Promise<void> => {
        const deadline = withTimeout(clock, closing.signal);
        const failure = await outcomeOf(() => prove(replica, leaf, { trust, signal: deadline.signal }));
        deadline.cancel();
        asking.delete(uid);
        if (closing.signal.aborted) return;
        if (failure === undefined) {
          proved.set(uid, certHash);
          pace.succeeded(key);
        } else {
          pace.failed(key);
          logger.debug({ replica: name, reason: failure }, "replica not proved");
        }
        onChange();
      };
      asking.set(uid, one());
    }
  };

  return {
    proved,
    ask,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all(asking.values());
    },
  };
}

async function outcomeOf(proof: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await proof();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function withTimeout(clock: Clock, parent: AbortSignal): { readonly signal: AbortSignal; cancel(): void } {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(parent.reason);
  parent.addEventListener("abort", onAbort, { once: true });
  const timer = clock.setTimeout(() => controller.abort(new Error("no answer in time")), LONGEST_PROOF_MS);
  return {
    signal: controller.signal,
    cancel() {
      timer.cancel();
      parent.removeEventListener("abort", onAbort);
    },
  };
}
