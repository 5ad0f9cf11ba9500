import fc from "fast-check";
import { expect, test } from "vitest";
import { createBroadcast } from "./broadcast.ts";

async function readAll<T>(iterator: AsyncIterableIterator<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of iterator) values.push(value);
  return values;
}

test("a reader gets the newest values, in order, at most as many as it has room for", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), fc.integer({ min: 1, max: 5 }), async (values, capacity) => {
      const broadcast = createBroadcast<number>();
      const reader = broadcast.subscribe({ capacity });
      for (const value of values) broadcast.publish(value);
      broadcast.close();
      expect(await readAll(reader)).toEqual(values.slice(-capacity));
    }),
  );
});

test("several calls of next wait for a value each", async () => {
  const broadcast = createBroadcast<number>();
  const reader = broadcast.subscribe({ capacity: 1 });
  const waiting = [reader.next(), reader.next(), reader.next()];
  broadcast.publish(1);
  broadcast.publish(2);
  broadcast.close();
  expect(await Promise.all(waiting)).toEqual([
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
  ]);
});

test("a reader that comes after the end gets its initial value and the end", async () => {
  const broadcast = createBroadcast<number>();
  broadcast.close();
  expect(await readAll(broadcast.subscribe({ capacity: 1, initial: [1] }))).toEqual([1]);
});

test("an aborted reader gets nothing more, not even what is waiting", async () => {
  const broadcast = createBroadcast<number>();
  const stop = new AbortController();
  const reader = broadcast.subscribe({ capacity: 1, signal: stop.signal });
  broadcast.publish(1);
  stop.abort();
  expect(await readAll(reader)).toEqual([]);
  broadcast.publish(2);
  expect(await reader.next()).toEqual({ done: true, value: undefined });
});
