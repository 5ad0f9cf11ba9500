import type { Metrics } from "@newleaf/daemon";
import type { ProbeEvent } from "./prober.ts";

/** Counts the events of a probe; returns what takes them. */
export function observeProbe(metrics: Metrics): (event: ProbeEvent) => void {
  const requests = metrics.counter({
    name: "newleaf_probe_requests_total",
    help: "Requests by result; reason is empty for a success.",
    labelNames: ["result", "reason"],
  });
  const seconds = metrics.histogram({
    name: "newleaf_probe_request_seconds",
    help: "Duration of successful requests.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  });
  const rotations = metrics.counter({
    name: "newleaf_probe_rotations_total",
    help: "Certificates seen for the first time, ours and the server's.",
    labelNames: ["side"],
  });
  return (event) => {
    if (event.type === "rotation") rotations.inc({ side: event.side });
    else if (event.type === "failure") requests.inc({ result: "failure", reason: event.reason });
    else {
      requests.inc({ result: "success", reason: "" });
      seconds.observe(event.durationMs / 1_000);
    }
  };
}
