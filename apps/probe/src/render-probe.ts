import { formatDuration, type Style } from "@newleaf/daemon";
import type { ProbeEvent, ProbeSummary } from "./prober.ts";

/** One line for each event, as the seed's frontend prints it. */
export function renderEvent(event: ProbeEvent, style: Style): string {
  const at = event.at.toISOString();
  switch (event.type) {
    case "success":
      return `${at} ${style.green("SUCCESS")} ${event.status} ${ms(event.durationMs)} serial=${short(event.serialNumber)} server=${short(event.serverSerialNumber)}`;
    case "failure":
      return `${at} ${style.red("FAILURE")} ${event.reason} ${ms(event.durationMs)} serial=${short(event.serialNumber)} ${event.message}`;
    case "rotation":
      return `${at} ${style.cyan("ROTATED")} ${event.side === "own" ? "our" : "the server's"} certificate: serial=${short(event.serialNumber)} expires ${event.notAfter.toISOString()}`;
  }
}

/** What it came to; `legacy` with the end of the certificate that was read once. */
export function renderSummary(
  summary: ProbeSummary & { readonly legacy?: { readonly notAfter: Date } },
  style: Style,
): string {
  const { requests, failures, rotations, latencyMs, firstFailure } = summary;
  const paint = failures > 0 ? style.red : style.green;
  const lines = [
    `requests ${requests}, ${paint(`failures ${failures}`)}, rotations seen: ours ${rotations.own}, the server's ${rotations.server}, in ${formatDuration(Math.round(summary.durationMs / 1000) * 1000)}`,
    `latency p50 ${ms(latencyMs.p50)}, p99 ${ms(latencyMs.p99)}, max ${ms(latencyMs.max)}`,
    ...Object.entries(summary.failuresByReason).map(([reason, count]) => `  ${reason}: ${count}`),
  ];
  if (firstFailure) {
    lines.push(
      `first failure after ${formatDuration(Math.round(firstFailure.afterMs))}: ${firstFailure.reason}`,
    );
  }
  if (summary.legacy) {
    const { notAfter } = summary.legacy;
    const after = firstFailure ? firstFailure.at.getTime() - notAfter.getTime() : undefined;
    const fate =
      after === undefined
        ? "has not failed yet"
        : after < 0
          ? "failed before that"
          : `has failed since ${formatDuration(after)} after that`;
    lines.push(`legacy: the certificate read at the start ends ${notAfter.toISOString()}; it ${fate}`);
  }
  return lines.join("\n");
}

function ms(value: number | undefined): string {
  return value === undefined ? "-" : `${value < 10 ? value.toFixed(1) : Math.round(value)}ms`;
}

/** Enough of a serial number to tell two apart. */
export function short(serialNumber: string): string {
  return serialNumber === "" ? "-" : serialNumber.slice(0, 12);
}
