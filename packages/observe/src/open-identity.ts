import type { Health } from "@newleaf/daemon";

/**
 * Opens an identity source and lets readiness say meanwhile what it waits for, in a check named `identity`. `open` is
 * handed what the source shall tell its refusals, or whatever else keeps it waiting: `watchFiles({ onRefusal })`.
 */
export async function openIdentity<S>(
  health: Health,
  open: (onRefusal: (refusal: { readonly message: string }) => void) => Promise<S>,
): Promise<S> {
  let reason = "no identity yet";
  using _waiting = health.addReadiness("identity", () => ({ ok: false, reason }));
  return await open(({ message }) => {
    reason = message;
  });
}
