import { STATUS_CODES } from "node:http";
import type { Clock } from "../clock.ts";
import type { Answer, StatusDetails, StatusFailure } from "../status.ts";
import type { KubeResponse } from "../transport.ts";
import { decodeStatus } from "./proto-envelope.ts";
import type { WholeAnswer } from "./whole-answer.ts";

/** Success as `read` has it, and any other HTTP status as what the API server, or a proxy, said. */
export function readAnswer<T>(
  answer: WholeAnswer,
  clock: Clock,
  read: (answer: WholeAnswer) => T,
): Answer<T> {
  if (answer.status >= 200 && answer.status < 300) return { ok: true, value: read(answer) };
  return { ok: false, status: readFailure(answer, clock) };
}

/** A meta/v1 Status in the words of this package; `code` and `headers` are those of the answer it came with. */
export function toStatusFailure(
  status: WireStatus,
  {
    code,
    headers,
    clock,
  }: { readonly code: number; readonly headers: KubeResponse["headers"]; readonly clock: Clock },
): StatusFailure {
  const seconds = status.details?.retryAfterSeconds;
  return {
    code: status.code ?? code,
    reason: status.reason || "Unknown",
    message: status.message || describeCode(status.code ?? code),
    retryAfterMs: readRetryAfter(headers["retry-after"], clock) ?? (seconds ? seconds * 1000 : undefined),
    details: status.details,
    requestId: headers["audit-id"],
  };
}

export interface WireStatus {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: StatusDetails;
}

function readFailure(answer: WholeAnswer, clock: Clock): StatusFailure {
  const { status: code, headers } = answer;
  const text = answer.isProtobuf ? "" : answer.text();
  const wire = answer.isProtobuf ? decodeStatus(answer.octets) : parseStatus(text);
  if (wire !== undefined) return toStatusFailure(wire, { code, headers, clock });
  const excerpt = text.slice(0, 1000).replace(/\s+/g, " ").trim().slice(0, 200);
  const message = excerpt === "" ? describeCode(code) : `${describeCode(code)}: ${excerpt}`;
  return toStatusFailure({ message }, { code, headers, clock });
}

function parseStatus(text: string): WireStatus | undefined {
  try {
    const value = JSON.parse(text) as WireStatus | null;
    return value?.kind === "Status" ? value : undefined;
  } catch {
    return undefined;
  }
}

function describeCode(code: number): string {
  return `${code} ${STATUS_CODES[code] ?? "without a reason"}`;
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function readRetryAfter(value: string | undefined, clock: Clock): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.now());
}
