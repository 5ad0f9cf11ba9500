import type { Style } from "@newleaf/daemon";
import type { DemoTally } from "../demo-result.ts";
import { type ResultRow, renderTable } from "../render-result.ts";
import type { Outage } from "./outage-story.ts";
import { wrap } from "./wrap.ts";

/** What `newleaf demo spiffe` ends with, and prints with `--json`. */
export interface SpiffeDemoResult extends DemoTally {
  readonly outage: Outage;
  /** Which of them were the real ones; otherwise a stand-in, or left out. */
  readonly parts: { readonly postgresql: boolean; readonly envoy: boolean };
}

/** The table at the end, for people. */
export function renderSpiffeResult(result: SpiffeDemoResult, style: Style): string {
  const { outage, parts, interrupted } = result;
  const { failedAfterMs, reason, diagnosis, words } = outage;
  const failed =
    failedAfterMs === null
      ? interrupted
        ? "had not come yet"
        : style.red("never came")
      : `after ${(failedAfterMs / 1000).toFixed(1)} s: ${reason}`;
  const said = words.flatMap((text) => wrap(text, 96)).map((line): ResultRow => ["", line]);
  return renderTable(result, style, {
    lag: "issued to served",
    above: [
      ["database", parts.postgresql ? "PostgreSQL" : "a stand-in"],
      ["Envoy", parts.envoy ? "with newleaf sds" : "left out"],
    ],
    below: [
      ["outage in act one", failed],
      ...(diagnosis.length === 0 ? [] : [["the doctor", diagnosis.join(", ")] as const, ...said]),
    ],
  });
}
