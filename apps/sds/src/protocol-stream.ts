import { SECRET_TYPE } from "./encode-secret.ts";
import type { SecretLookup, Subscriptions, Verdict } from "./subscriptions.ts";

/**
 * One stream of either protocol, without its transport: what arrives is told to `receive`, and `next` is asked
 * whenever something may be sent. Pure but for what it remembers. A slow client is one whose `next` is asked rarely: it
 * gets the newest and nothing in between.
 */
export interface ProtocolStream<Q, R> {
  receive(request: Q): Reception;
  /** What to send now; undefined when there is nothing. */
  next(lookup: SecretLookup): R | undefined;
  readonly subscriptions: Subscriptions;
}

export type Reception =
  | {
      readonly ok: true;
      readonly verdicts: readonly Verdict[];
      /** Names of which the client says that it has one already. */
      readonly held: readonly string[];
    }
  | { readonly ok: false; readonly code: "invalid" | "limit"; readonly message: string };

export interface StreamLimits {
  /** Names that one stream may ask for at the same time. */
  readonly maxNames: number;
}

const LONGEST_NAME = 2_048;

/** Why a request cannot be taken at all, which ends its stream. */
export function requestProblem(
  typeUrl: string,
  names: readonly string[],
  total: number,
  { maxNames }: StreamLimits,
): Reception | undefined {
  if (typeUrl !== "" && typeUrl !== SECRET_TYPE) {
    return {
      ok: false,
      code: "invalid",
      message: `this is a server of secrets, not of ${typeUrl.slice(0, 200)}`,
    };
  }
  if (names.some((name) => name === "" || name.length > LONGEST_NAME)) {
    return {
      ok: false,
      code: "invalid",
      message: `a name is empty or longer than ${LONGEST_NAME} characters`,
    };
  }
  if (total > maxNames) {
    return { ok: false, code: "limit", message: `more than ${maxNames} names on one stream` };
  }
  return undefined;
}
