import { type ServiceError, status } from "@grpc/grpc-js";
import { SpiffeError } from "./error.ts";

/** Why there is no news from the Workload API for now. It is tried again. */
export interface WorkloadApiFailure {
  /**
   * `permission_denied`: it has no identity for this workload. `discarded`: it sent what cannot be used as a whole, so
   * what was received before stands. `unavailable`: everything else, not being reachable above all.
   */
  readonly reason: "unavailable" | "permission_denied" | "discarded";
  readonly error: SpiffeError;
  readonly retryInMs: number;
}

/** What an attempt ended with; `final` where the standard says not to try again. */
export interface AttemptEnd {
  readonly reason: WorkloadApiFailure["reason"];
  readonly error: SpiffeError;
  readonly final: boolean;
  /** What gRPC says, where it was gRPC that ended the attempt. */
  readonly status?: status;
}

/** Sorts what a call threw by what the standard has clients do (SPIFFE Workload Endpoint section 6, appendix A). */
export function attemptEnd(thrown: unknown): AttemptEnd {
  if (thrown instanceof SpiffeError) return { reason: "discarded", error: thrown, final: false };
  if (!isStatus(thrown)) return discarded(thrown instanceof Error ? thrown.message : "unknown error");
  const text = `${status[thrown.code] ?? thrown.code}: ${presentable(thrown.details)}`;
  switch (thrown.code) {
    case status.INVALID_ARGUMENT:
    case status.UNIMPLEMENTED: {
      const error = new SpiffeError("ERR_SPIFFE_WORKLOAD_API", `the Workload API refused the call: ${text}`);
      return { reason: "unavailable", error, final: true, status: thrown.code };
    }
    case status.PERMISSION_DENIED: {
      const message = `the Workload API has no identity for this workload: ${text}`;
      const error = new SpiffeError("ERR_SPIFFE_PERMISSION_DENIED", message);
      return { reason: "permission_denied", error, final: false };
    }
    default:
      if (isOurLimit(thrown)) return discarded(thrown.details);
      return unavailable(text);
  }
}

/** The server closed the stream in good order. */
export function streamEnded(): AttemptEnd {
  return unavailable("the stream ended");
}

function unavailable(why: string): AttemptEnd {
  const error = new SpiffeError("ERR_SPIFFE_UNAVAILABLE", `the Workload API is unavailable: ${why}`);
  return { reason: "unavailable", error, final: false };
}

function discarded(why: string): AttemptEnd {
  const message = `the Workload API sent a message that cannot be used: ${presentable(why)}`;
  return { reason: "discarded", error: new SpiffeError("ERR_SPIFFE_WORKLOAD_API", message), final: false };
}

// What @grpc/grpc-js itself says of a message beyond the limit, and no server would.
function isOurLimit({ code, details }: Pick<ServiceError, "code" | "details">): boolean {
  return code === status.RESOURCE_EXHAUSTED && /larger than max/.test(details);
}

function isStatus(thrown: unknown): thrown is Pick<ServiceError, "code" | "details"> {
  return (
    typeof thrown === "object" &&
    thrown !== null &&
    "code" in thrown &&
    typeof thrown.code === "number" &&
    "details" in thrown &&
    typeof thrown.details === "string"
  );
}

const SHOWN = 300;

/** Text from a server, fit for a message: one line, bounded, and without the token that it may quote. */
function presentable(text: string): string {
  const line = text
    .replace(/\p{Cc}+/gu, " ")
    .replace(/[\w-]{10,}\.[\w-]{10,}\.[\w-]*/g, "[token]")
    .replace(/ Resolution note: *$/, "")
    // The moment that @grpc/grpc-js adds, by which each repetition would look like news.
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/g, "");
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}...` : line;
}
