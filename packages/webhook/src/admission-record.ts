import type { Logger } from "@newleaf/kube";
import type { AdmissionRequest } from "./admission-review.ts";

/** `refused`: it was no review; `failed`: the reviewer threw; `abandoned`: the API server did not wait. */
export type ReviewOutcome =
  | "allowed"
  | "mutated"
  | "denied"
  | "refused"
  | "failed"
  | "timed-out"
  | "abandoned";

/** A review that is over. Where it was no review, the sender's words for it are undefined. */
export interface ReviewRecord {
  readonly path: string;
  readonly uid: string | undefined;
  readonly kind: string | undefined;
  readonly operation: string | undefined;
  readonly outcome: ReviewOutcome;
  readonly durationMs: number;
}

interface Recorded {
  readonly path: string;
  readonly outcome: ReviewOutcome;
  readonly reason?: string | undefined;
  readonly review?: AdmissionRequest | undefined;
  readonly durationMs: number;
}

/** One line: who asked for what and what came of it, never what is in it. */
export function recordReview(
  { path, outcome, reason, review, durationMs }: Recorded,
  logger: Logger,
  onReview: (record: ReviewRecord) => void,
): void {
  const record = { path, uid: review?.uid, operation: review?.operation, outcome, durationMs };
  const asked = review && {
    kind: review.kind,
    resource: review.resource.resource,
    subResource: review.subResource,
    namespace: review.namespace,
    name: review.name,
    user: review.userInfo.username,
    dryRun: review.dryRun,
  };
  logger[levels[outcome]]({ ...record, reason, ...asked }, "admission review");
  try {
    onReview({ ...record, kind: review?.kind.kind });
  } catch (error) {
    logger.error(withoutMessage(error), "what counts admission reviews failed");
  }
}

/** An error as it may be logged: its message may quote what was reviewed. */
export function withoutMessage(error: unknown): object {
  if (!(error instanceof Error)) return { error: typeof error };
  const frames = error.stack?.split("\n").filter((line) => /^\s+at /.test(line)) ?? [];
  return { error: error.name, stack: frames.slice(0, 8).map((line) => line.trim()) };
}

const levels: Readonly<Record<ReviewOutcome, keyof Logger>> = {
  allowed: "debug",
  mutated: "debug",
  abandoned: "info",
  denied: "info",
  refused: "info",
  failed: "warn",
  "timed-out": "warn",
};
