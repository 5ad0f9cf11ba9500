import type { Consumer } from "./consumer.ts";
import type { Generation } from "./generation.ts";
import { proveServed, type ServedReport, type ServedTarget } from "./served.ts";

export interface HookConsumerOptions {
  readonly name: string;
  /** Called with each generation; may be called again for the same one, if it or the proof failed. */
  load(generation: Generation, signal: AbortSignal): void | Promise<void>;
  /** Targets to look at, or a function that looks by itself. Without it a load that succeeded counts as served. */
  readonly prove?:
    | readonly (string | ServedTarget)[]
    | ((generation: Generation, signal: AbortSignal) => Promise<readonly ServedReport[]>);
  /** For targets, how long until they must serve it: 10 s. */
  readonly proveWithinMs?: number;
}

/** Any function as a consumer: write a file, call an API, swap a context of a library that this one does not know. */
export function createHookConsumer(options: HookConsumerOptions): Consumer {
  const { name, prove, proveWithinMs } = options;
  const load: Consumer["load"] = (generation, signal) => options.load(generation, signal);
  if (!prove) return { name, load };
  if (typeof prove === "function") return { name, load, prove };
  const within = proveWithinMs === undefined ? {} : { withinMs: proveWithinMs };
  return {
    name,
    load,
    prove: (generation, signal) => proveServed(prove, generation, { client: generation, signal, ...within }),
  };
}
