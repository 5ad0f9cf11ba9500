import { connectionError, type FaultBook, type FaultSubject } from "./faults.ts";

/**
 * A body as faults let it through: silent, cut, or in odd pieces. A fault that is added while nobody sends anything
 * strikes at once.
 */
export function disturbBody(
  faults: FaultBook,
  subject: FaultSubject,
  body: AsyncIterableIterator<Uint8Array>,
  signal: AbortSignal,
): AsyncIterableIterator<Uint8Array> {
  let pending: Promise<IteratorResult<Uint8Array>> | undefined;
  let pieces: Uint8Array[] = [];
  let after: "reset" | "end" | undefined;
  let wake = (): void => {};
  const wakeUp = (): void => wake();
  const unsubscribe = faults.onChange(wakeUp);
  signal.addEventListener("abort", wakeUp, { once: true });

  const leave = async (): Promise<void> => {
    unsubscribe();
    signal.removeEventListener("abort", wakeUp);
    wakeUp();
    await body.return?.();
  };
  const finish = async (how: "reset" | "end"): Promise<IteratorResult<Uint8Array>> => {
    await leave();
    if (how === "reset") throw connectionError("ECONNRESET");
    return { done: true, value: undefined };
  };
  const stream: AsyncIterableIterator<Uint8Array> = {
    async next() {
      for (;;) {
        signal.throwIfAborted();
        const piece = pieces.shift();
        if (piece) return { done: false, value: piece };
        if (after) return finish(after);
        if (faults.take(subject, "reset", "stream")) return finish("reset");
        const changed = new Promise<undefined>((resolve) => {
          wake = () => resolve(undefined);
        });
        if (faults.has(subject, "stall", "stream")) {
          await changed;
          continue;
        }
        pending ??= body.next();
        const result = await Promise.race([pending, changed]);
        if (!result) continue;
        if (!result.done && faults.has(subject, "stall", "stream")) continue;
        pending = undefined;
        if (result.done) return finish("end");
        const cut = faults.take(subject, "cut");
        if (cut) {
          pieces = [firstPart(result.value, cut.at)];
          after = cut.then ?? "reset";
        } else pieces = faults.take(subject, "split") ? inPieces(result.value) : [result.value];
      }
    },
    async return() {
      pieces = [];
      after = "end";
      await leave();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}

/** Up to the middle, or up to within the last character of more than one octet. */
function firstPart(chunk: Uint8Array, at: "line" | "character"): Uint8Array {
  const inCharacter = at === "character" ? chunk.findLastIndex((octet) => octet >= 0x80 && octet < 0xc0) : -1;
  return chunk.subarray(0, inCharacter > 0 ? inCharacter : Math.floor(chunk.length / 2));
}

/** Of three octets and less at first, so that every kind of boundary is met, then of thousands. */
function inPieces(chunk: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < chunk.length; ) {
    const size = start < 4096 ? 3 : 4093;
    pieces.push(chunk.subarray(start, start + size));
    start += size;
  }
  return pieces;
}
