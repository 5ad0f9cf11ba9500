import type { Logger } from "@newleaf/daemon";
import { createWorkloadApiClient, SpiffeError } from "@newleaf/spiffe";
import type { WorkloadApiFacts } from "../facts.ts";

/** What the Workload API has for this process. */
export async function lookAtWorkloadApi(
  address: string,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly logger: Logger },
): Promise<WorkloadApiFacts> {
  const { timeoutMs, signal, logger } = options;
  const client = createWorkloadApiClient({ address, answerTimeoutMs: timeoutMs, logger });
  try {
    const { svids } = await client.fetchX509Context(
      AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    );
    return {
      address,
      svids: svids.flatMap(({ id, certificates: [leaf] }) => (leaf ? [{ id: id.toString(), leaf }] : [])),
    };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SpiffeError && error.code === "ERR_SPIFFE_ADDRESS") throw error;
    const message = error instanceof Error ? error.message : String(error);
    return { address, svids: [], failure: { kind: kindOf(error), message } };
  }
}

function kindOf(error: unknown): NonNullable<WorkloadApiFacts["failure"]>["kind"] {
  const code = error instanceof SpiffeError ? error.code : undefined;
  if (code === "ERR_SPIFFE_PERMISSION_DENIED") return "denied";
  return code === "ERR_SPIFFE_UNAVAILABLE" || code === undefined ? "unreachable" : "other";
}
