import { expect, test } from "vitest";
import { createManualClock } from "../test/manual-clock.ts";
import { runTasks, type Task } from "./tasks.ts";

const untilStopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

test("resolves when every task has ended", async () => {
  const ended: string[] = [];
  const task = (name: string): Task => ({ name, run: async () => void ended.push(name) });
  await runTasks(new AbortController().signal, [task("a"), task("b")]);
  expect(ended).toEqual(["a", "b"]);
});

test("the first failure cancels the rest, which are awaited before it is thrown", async () => {
  let cleaned = false;
  const failing: Task = { name: "failing", run: () => Promise.reject(new Error("first")) };
  const other: Task = {
    name: "other",
    async run(signal) {
      await untilStopped(signal);
      await new Promise(setImmediate);
      cleaned = true;
      throw new Error("second");
    },
  };
  await expect(runTasks(new AbortController().signal, [other, failing])).rejects.toThrow("first");
  expect(cleaned).toBe(true);
});

test("a task that fails while it stops is a failure; one that throws the abort reason is not", async () => {
  const stop = new AbortController();
  const polite: Task = {
    name: "polite",
    async run(signal) {
      await untilStopped(signal);
      signal.throwIfAborted();
    },
  };
  const running = runTasks(stop.signal, [polite]);
  stop.abort();
  await running;

  const again = new AbortController();
  const broken: Task = {
    name: "broken",
    async run(signal) {
      await untilStopped(signal);
      throw new Error("could not flush");
    },
  };
  const failing = runTasks(again.signal, [broken]);
  again.abort();
  await expect(failing).rejects.toThrow("could not flush");
});

test("tasks that outstay the drain deadline are named", async () => {
  const clock = createManualClock();
  const stop = new AbortController();
  const stuck: Task = { name: "stuck", run: () => new Promise(() => {}) };
  const running = runTasks(stop.signal, [stuck, { name: "good", run: untilStopped }], {
    drainMs: 5_000,
    clock,
  });
  clock.advance(60_000);
  stop.abort();
  clock.advance(5_000);
  await expect(running).rejects.toMatchObject({
    code: "ERR_DAEMON_DRAIN",
    message: expect.stringMatching(/stuck$/),
  });
  expect(clock.pending).toBe(0);
});

test("a signal that is already aborted still lets tasks run and clean up", async () => {
  const clock = createManualClock();
  let ran = false;
  const task: Task = {
    name: "task",
    async run(signal) {
      ran = signal.aborted;
    },
  };
  await runTasks(AbortSignal.abort(), [task], { clock });
  expect(ran).toBe(true);
  expect(clock.pending).toBe(0);
});
