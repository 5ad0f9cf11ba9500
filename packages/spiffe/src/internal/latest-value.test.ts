import { expect, test } from "vitest";
import { createLatestValue } from "./latest-value.ts";

test("a reader gets the current value and each newer one", async () => {
  const latest = createLatestValue(1);
  const reader = latest.watch();
  expect(await reader.next()).toEqual({ done: false, value: 1 });
  const next = reader.next();
  latest.set(2);
  expect(await next).toEqual({ done: false, value: 2 });
  expect(latest.current()).toBe(2);
});

test("a slow reader gets only the latest, and that once", async () => {
  const latest = createLatestValue(1);
  const reader = latest.watch();
  for (const value of [2, 3]) latest.set(value);
  expect(await reader.next()).toEqual({ done: false, value: 3 });
  const waiting = reader.next();
  for (const value of [4, 5]) latest.set(value);
  expect(await waiting).toEqual({ done: false, value: 5 });
  const last = reader.next();
  latest.close();
  expect(await last).toEqual({ done: true, value: undefined });
});

test("readers end with their signal, their return and the value", async () => {
  const latest = createLatestValue(1);
  const controller = new AbortController();
  const [aborted, returned, closed] = [latest.watch(controller.signal), latest.watch(), latest.watch()];
  for (const reader of [aborted, returned, closed]) await reader.next();
  const pending = [aborted, returned, closed].map((reader) => reader.next());
  controller.abort();
  await returned.return?.();
  latest.close();
  for (const result of await Promise.all(pending)) expect(result).toEqual({ done: true, value: undefined });
  expect(await latest.watch().next()).toEqual({ done: true, value: undefined });
  expect(await latest.watch(AbortSignal.abort()).next()).toEqual({ done: true, value: undefined });
});
