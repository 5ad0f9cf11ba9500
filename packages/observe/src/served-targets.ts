import type { Rotation } from "@newleaf/rotation";

/** What was last seen at one address, against what was delivered. */
export interface ServedTarget {
  readonly target: string;
  readonly matches: boolean;
  /** Of the leaf that was seen; undefined when the target could not be reached. */
  readonly notAfter: Date | undefined;
}

/**
 * The targets of a rotation as they stand. A generation under way has no proof yet: until it has one, or
 * stalls without, a target keeps what its last proof said, so that a scrape in between raises no alarm.
 */
export function createServedTargets(rotation: Rotation): () => readonly ServedTarget[] {
  const known = new Map<string, ServedTarget>();
  return () => {
    const { consumers, outcome } = rotation.current();
    if (outcome === "stalled") for (const [name, seen] of known) known.set(name, { ...seen, matches: false });
    for (const { target, verdict, served } of consumers.flatMap((consumer) => consumer.served ?? [])) {
      known.set(target, { target, matches: verdict === "equal", notAfter: served?.leaf.notAfter });
    }
    return [...known.values()];
  };
}
