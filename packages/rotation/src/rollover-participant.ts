import { validatePath } from "@newleaf/x509";
import { type Clock, systemClock } from "./clock.ts";
import { RotationError } from "./error.ts";
import type { Generation } from "./generation.ts";
import type { IdentitySource } from "./identity-source.ts";
import type { RolloverParticipant } from "./rollover.ts";
import type { Rotation } from "./rotation.ts";
import { isProved, proveServed, type ServedTarget } from "./served.ts";

/**
 * A process that uses this library, as a participant: acknowledged when its consumers serve a generation with that
 * trust, switched when they have completed one whose leaf verifies to it, and the targets, if given, show it.
 */
export function createRolloverParticipant(of: {
  readonly name: string;
  readonly source: IdentitySource;
  readonly rotation: Rotation;
  readonly targets?: readonly (string | ServedTarget)[];
  readonly clock?: Clock;
}): RolloverParticipant {
  const { name, source, rotation, targets = [], clock = systemClock } = of;
  return {
    name,
    async acknowledged(trust, signal) {
      const taken = await generationWith(source, ({ trust: own }) => own.sha256 === trust.sha256, signal);
      await rotation.whenServed(taken.number, signal);
    },
    async switched(trust, signal) {
      const taken = await generationWith(
        source,
        ({ leaf, chain }) =>
          validatePath(leaf, trust, { now: new Date(clock.now()), purpose: "any", intermediates: chain }).ok,
        signal,
      );
      await rotation.whenComplete(taken.number, signal);
      const reports = await proveServed(targets, source.current(), {
        client: source.current(),
        trust,
        signal,
        clock,
      });
      const unproved = reports.find((report) => !isProved(report));
      if (unproved) throw new Error(`${unproved.target} is ${unproved.verdict}`);
    },
  };
}

async function generationWith(
  source: IdentitySource,
  wanted: (generation: Generation) => boolean,
  signal: AbortSignal,
): Promise<Generation> {
  for await (const generation of source.watch(signal)) if (wanted(generation)) return generation;
  signal.throwIfAborted();
  throw new RotationError("ERR_ROTATION_CLOSED", "the identity source was closed during a rollover");
}
