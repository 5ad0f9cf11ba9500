import type { Logger } from "@newleaf/kube";
import type { Deadline } from "./admission-deadline.ts";
import { type ReviewOutcome, withoutMessage } from "./admission-record.ts";
import { admissionResponse, failureStatus } from "./admission-response.ts";
import type { AdmissionRefusal, AdmissionRequest } from "./admission-review.ts";
import type { MutatingVerdict, ValidatingVerdict } from "./admission-verdict.ts";

/**
 * Decides about one request. `signal` is aborted when the API server has gone or the time is up; what is decided after
 * that reaches nobody. A reviewer that throws is answered with 500, and the webhook's failurePolicy decides.
 */
export type Reviewer<V extends MutatingVerdict> = (
  request: AdmissionRequest,
  context: { readonly signal: AbortSignal },
) => V | Promise<V>;

/** What a path is for: the API server takes a patch from mutating webhooks only. */
export type AdmissionRoute =
  | { readonly validate: Reviewer<ValidatingVerdict> }
  | { readonly mutate: Reviewer<MutatingVerdict> };

/** What to answer, and what is said of it. */
export interface AdmissionAnswer {
  readonly status: number;
  readonly body: object;
  readonly outcome: ReviewOutcome;
  readonly reason?: string | undefined;
  readonly review?: AdmissionRequest | undefined;
}

/** Asks the route's reviewer. Never rejects. */
export async function decide(
  review: AdmissionRequest,
  route: AdmissionRoute,
  deadline: Deadline,
  logger: Logger,
): Promise<AdmissionAnswer> {
  try {
    const verdict = await deadline.race(async () => {
      const reviewer: Reviewer<MutatingVerdict> = "mutate" in route ? route.mutate : route.validate;
      return reviewer(review, { signal: deadline.signal });
    });
    // Not every caller is compiled: what is no verdict must not pass for consent.
    const known = "mutate" in route ? ["allow", "deny", "mutate"] : ["allow", "deny"];
    if (!known.includes(verdict.kind)) throw new TypeError("the reviewer's verdict is none of this route");
    const { body, changes, dropped } = admissionResponse(review.uid, verdict);
    if (dropped.length > 0) logger.warn({ keys: dropped }, "audit annotations left out");
    if (verdict.kind !== "deny") {
      return { status: 200, body, outcome: changes ? "mutated" : "allowed", review };
    }
    return { status: 200, body, outcome: "denied", reason: verdict.reason, review };
  } catch (error) {
    return { ...failure(error, review, deadline, logger), review };
  }
}

/** The API server did not wait for it, so that nothing can be answered. */
export const abandoned: AdmissionAnswer = Object.freeze({ status: 499, body: {}, outcome: "abandoned" });

/** It was no review. */
export function refused(refusal: AdmissionRefusal): AdmissionAnswer {
  const { code: status, reason } = refusal;
  return { status, body: failureStatus(refusal), outcome: "refused", reason };
}

function failure(
  error: unknown,
  { uid }: AdmissionRequest,
  deadline: Deadline,
  logger: Logger,
): AdmissionAnswer {
  switch (deadline.ended()) {
    case "gone":
      return abandoned;
    case "timeout":
      return failed("timed-out", "Timeout", "the admission webhook took too long");
    case undefined:
      logger.error({ uid, ...withoutMessage(error) }, "admission reviewer failed");
      return failed("failed", "InternalError", "the admission webhook failed");
  }
}

function failed(outcome: "failed" | "timed-out", reason: string, message: string): AdmissionAnswer {
  return { status: 500, body: failureStatus({ code: 500, reason, message }), outcome, reason };
}
