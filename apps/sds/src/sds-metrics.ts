import type { Metrics } from "@newleaf/daemon";
import type { SecretStore } from "./secret-store.ts";
import { type Subscribers, standingRefusals } from "./subscribers.ts";

/** What happens on streams, for counting. */
export interface SdsCounts {
  sent(protocol: "sotw" | "delta"): void;
  answered(protocol: "sotw" | "delta", accepted: boolean): void;
  streamRefused(reason: "limit" | "invalid"): void;
}

export const uncounted: SdsCounts = Object.freeze({
  sent: () => {},
  answered: () => {},
  streamRefused: () => {},
});

/** How many refusals a scrape looks for. */
const REFUSALS_COUNTED = 10_000;

export function createSdsMetrics(
  metrics: Metrics,
  { store, subscribers }: { readonly store: SecretStore; readonly subscribers: Subscribers },
): SdsCounts {
  const responses = metrics.counter({
    name: "newleaf_sds_responses_total",
    help: "Responses sent to Envoys, by protocol",
    labelNames: ["protocol"],
  });
  const answers = metrics.counter({
    name: "newleaf_sds_answers_total",
    help: "Secrets that Envoys took over (ack) or refused (nack), by protocol",
    labelNames: ["protocol", "answer"],
  });
  const refused = metrics.counter({
    name: "newleaf_sds_streams_refused_total",
    help: "Streams that were refused or ended for what they asked, by reason",
    labelNames: ["reason"],
  });
  for (const protocol of ["sotw", "delta"] as const) {
    responses.inc({ protocol }, 0);
    for (const answer of ["ack", "nack"]) answers.inc({ protocol, answer }, 0);
  }
  metrics.gauge({
    name: "newleaf_sds_streams",
    help: "Open streams, by protocol",
    labelNames: ["protocol"],
    collect() {
      const open = { sotw: 0, delta: 0 };
      for (const { protocol } of subscribers) open[protocol] += 1;
      for (const protocol of ["sotw", "delta"] as const) this.set({ protocol }, open[protocol]);
    },
  });
  metrics.gauge({
    name: "newleaf_sds_refused",
    help: "Streams whose Envoy refuses the current version of a secret and goes on with an older one",
    labelNames: ["secret"],
    collect() {
      this.reset();
      for (const { secret } of standingRefusals(subscribers, REFUSALS_COUNTED)) this.inc({ secret });
    },
  });
  metrics.counter({
    name: "newleaf_sds_encodings_total",
    help: "Secrets encoded: one for each change, however many Envoys it is sent to",
    collect() {
      this.reset();
      this.inc(store.encodings);
    },
  });
  return {
    sent: (protocol) => responses.inc({ protocol }),
    answered: (protocol, accepted) => answers.inc({ protocol, answer: accepted ? "ack" : "nack" }),
    streamRefused: (reason) => refused.inc({ reason }),
  };
}
