import { frozenSource, type ProbeSummary, parseProbeTarget, runProbe } from "@newleaf/probe";
import { type Rejection, watchFiles } from "@newleaf/rotation";
import type { Demo } from "./demo.ts";
import type { DemoResult } from "./demo-result.ts";

/** The legacy application: reads its certificate once, and fails when it has expired, as the contrast. */
export interface LegacyStory {
  /** In the server's words: the client only learns that it was closed on. */
  sawRejection(rejection: Rejection): void;
  /** How it fared, once the demo is over. */
  result(): Promise<DemoResult["legacy"]>;
}

export async function startLegacyStory(demo: Demo, directory: string, url: string): Promise<LegacyStory> {
  await using source = await watchFiles({ directory });
  const generation = source.current();
  const { sha256, notAfter } = generation.leaf;
  const failed = new AbortController();
  let reason: string | undefined;
  const running: Promise<ProbeSummary> = runProbe({
    target: parseProbeTarget(url),
    source: frozenSource(generation),
    everyMs: 500,
    concurrency: 1,
    timeoutMs: 10_000,
    signal: AbortSignal.any([demo.signal, failed.signal]),
    onEvent(event) {
      if (event.type !== "failure" || failed.signal.aborted) return;
      failed.abort();
      const expired = Date.now() > notAfter.getTime();
      const why = expired ? "its certificate has expired" : event.reason.replaceAll("_", " ");
      demo.tell("good", `the legacy application fails, as it must: it read its files once; ${why}`);
    },
  });
  demo.keep({ [Symbol.asyncDispose]: async () => void (await running) });
  return {
    sawRejection({ code, peer }) {
      if (peer?.sha256 === sha256) reason ??= code;
    },
    async result() {
      const { firstFailure } = await running;
      const outlived = Date.now() > notAfter.getTime() + 1_000;
      if (outlived && firstFailure === undefined) demo.problem("the legacy application never failed");
      return { failedAfterMs: firstFailure?.afterMs ?? null, reason: reason ?? firstFailure?.reason ?? null };
    },
  };
}
