import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Generation, IdentitySource, Refusal, RefusalCode } from "@newleaf/rotation";

const DEADLINE_MS = 10_000;
/** Where to write a lot: volumes of Kubernetes are tmpfs too. */
export const MEMORY: string = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A directory of its own for one test, removed on disposal. */
export async function createScratch(
  parent: string = tmpdir(),
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(parent, "newleaf-rotation-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Does something to the files and waits for the refusal that it must cause. */
export async function refusalOf(
  source: IdentitySource,
  code: RefusalCode,
  act: () => unknown,
): Promise<Refusal> {
  const refusals = source.refusals(AbortSignal.timeout(DEADLINE_MS));
  await act();
  for await (const refusal of refusals) if (refusal.code === code) return refusal;
  throw new Error(`no refusal ${code}; last: ${source.status().lastRefusal?.message ?? "none"}`);
}

/** Does something to the files and waits for the generation that satisfies the predicate. */
export async function generationOf(
  source: IdentitySource,
  wanted: (generation: Generation) => boolean,
  act: () => unknown = () => {},
): Promise<Generation> {
  const generations = source.watch(AbortSignal.timeout(DEADLINE_MS));
  await act();
  for await (const generation of generations) if (wanted(generation)) return generation;
  throw new Error(`no such generation; last refusal: ${source.status().lastRefusal?.message ?? "none"}`);
}

/** Asks again and again, in real time, until the answer is yes. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
