/** A body that arrives chunk by chunk. */
export interface ByteStream extends AsyncIterableIterator<Uint8Array> {
  push(chunk: Uint8Array): void;
  end(): void;
  fail(error: unknown): void;
}

/** `left` is called once, when it has ended or nobody reads it any more. */
export function createByteStream(left: () => void): ByteStream {
  const chunks: Uint8Array[] = [];
  let outcome: { readonly error?: unknown } | undefined;
  let waiting: (() => void) | undefined;
  const wake = (): void => {
    waiting?.();
    waiting = undefined;
  };
  const close = (how: { readonly error?: unknown }): void => {
    if (outcome) return;
    outcome = how;
    left();
    wake();
  };
  const stream: ByteStream = {
    push(chunk) {
      if (outcome) return;
      chunks.push(chunk);
      wake();
    },
    end: () => close({}),
    fail: (error) => close({ error }),
    async next() {
      for (;;) {
        const chunk = chunks.shift();
        if (chunk) return { done: false, value: chunk };
        if (outcome && "error" in outcome) throw outcome.error;
        if (outcome) return { done: true, value: undefined };
        await new Promise<void>((resolve) => {
          waiting = resolve;
        });
      }
    },
    async return() {
      chunks.length = 0;
      close({});
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
