import type { JsonPatch } from "@newleaf/kube";

/** What goes with a verdict, whichever it is. */
export interface VerdictNotes {
  /** Shown to whoever made the request. The API server takes 256 characters of each and 4,096 in all. */
  readonly warnings?: readonly string[];
  /** Kept in the audit log below the webhook's name; keys are names (`[A-Za-z0-9]`, and `-_.` inside, 63 at most). */
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

export interface Allowed extends VerdictNotes {
  readonly kind: "allow";
}

export interface Denied extends VerdictNotes {
  readonly kind: "deny";
  readonly message: string;
  readonly code: number;
  readonly reason: string;
}

export interface Mutated extends VerdictNotes {
  readonly kind: "mutate";
  readonly change: Change;
}

/** A JSON patch (RFC 6902), or the object as it came and a changed copy, from which one is computed. */
export type Change = { readonly patch: JsonPatch } | { readonly before: object; readonly after: object };

export type ValidatingVerdict = Allowed | Denied;
export type MutatingVerdict = ValidatingVerdict | Mutated;

/** What a reviewer returns. */
export const verdict: {
  allow(notes?: VerdictNotes): Allowed;
  /** `code` is an HTTP status of 400-599 (403, Forbidden); the message is shown to whoever made the request. */
  deny(
    message: string,
    options?: VerdictNotes & { readonly code?: number; readonly reason?: string },
  ): Denied;
  /** Allows what it changes; a change that changes nothing allows it as it is. */
  mutate(change: Change, notes?: VerdictNotes): Mutated;
} = Object.freeze({
  allow: (notes: VerdictNotes = {}) => ({ ...notes, kind: "allow" as const }),
  deny(
    message: string,
    { code = 403, reason = "Forbidden", ...notes }: VerdictNotes & { code?: number; reason?: string } = {},
  ) {
    return { ...notes, kind: "deny" as const, message, code, reason };
  },
  mutate: (change: Change, notes: VerdictNotes = {}) => ({ ...notes, kind: "mutate" as const, change }),
});
