import type { Bench } from "./bench.ts";
import { startSpiffeLibraries } from "./peers/spiffe-library.ts";
import { comparePushes } from "./spiffe-push.ts";
import { compareVerification } from "./spiffe-verification.ts";

/** SVIDs verified, and the Workload API's messages received, beside go-spiffe. */
export const spiffe: Bench = {
  name: "spiffe",
  async run(context) {
    const { libraries } = await startSpiffeLibraries(() => ({ name: "verify" }));
    try {
      const roundMs = context.quick ? 30 : 300;
      const verified = await compareVerification(libraries, { roundMs, log: context.log });
      const { tables, samples = {}, absent } = await comparePushes(context);
      return {
        method:
          "medians of 7 rounds by turns, one process and thread each; ECDSA P-256, 8 SVIDs of each kind in turn; then the Workload API in a process of its own, a socket for each watcher, which gets messages while the others rest",
        tables: [...verified, ...tables],
        targets: [],
        samples,
        absent,
      };
    } finally {
      for (const { conversation } of libraries) await conversation[Symbol.asyncDispose]();
    }
  },
};
