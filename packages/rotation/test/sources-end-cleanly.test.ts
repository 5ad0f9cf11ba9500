import { join } from "node:path";
import { watchFiles } from "@newleaf/rotation";
import { createAtomicVolume, createManualClock, createTestAuthority, writeEmpty } from "@newleaf/testing";
import { expect, test } from "vitest";
import { createScratch, eventually, refusalOf } from "./outcomes.ts";

const authority = createTestAuthority();

test("disposal ends every iterator, leaves no timer or watch, and may be repeated", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  const before = process.getActiveResourcesInfo().sort();
  const clock = createManualClock(Date.now());
  const source = await watchFiles({ directory: volume.directory, clock });
  const watching = [source.watch(), source.watch(), source.watch()];
  const refusing = source.refusals();
  for (const iterator of watching) expect((await iterator.next()).done).toBe(false);
  const ends = [...watching, refusing].map((iterator) => iterator.next());
  await Promise.all([source[Symbol.asyncDispose](), source[Symbol.asyncDispose]()]);
  for (const end of await Promise.all(ends)) expect(end).toEqual({ done: true, value: undefined });
  expect(clock.pending).toBe(0);
  await eventually(
    () => process.getActiveResourcesInfo().sort().join() === before.join(),
    "all watches and timers are gone",
  );
});

test("a source keeps the process alive until it is disposed, unless told not to", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  {
    await using _source = await watchFiles({ directory: volume.directory });
    expect(timers()).toBe(before + 1);
  }
  expect(timers()).toBe(before);
  await using _source = await watchFiles({ directory: volume.directory, persistent: false });
  expect(timers()).toBe(before);
});

test("after disposal the last generation can still be read, and nothing else happens", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  const source = await watchFiles({ directory: volume.directory });
  await source[Symbol.asyncDispose]();
  await volume.write(authority.issue().files());
  await expect(source.reload()).rejects.toMatchObject({ code: "ERR_ROTATION_CLOSED" });
  expect(source.current().number).toBe(1);
  const after = source.watch();
  expect((await after.next()).value).toBe(source.current());
  expect(await after.next()).toEqual({ done: true, value: undefined });
});

test("an iterator ends with its own signal or return and leaves the others alone", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  await using source = await watchFiles({ directory: volume.directory });
  const stop = new AbortController();
  const [aborted, returned, other] = [source.watch(stop.signal), source.watch(), source.watch()];
  for (const iterator of [aborted, returned, other]) await iterator.next();
  const pending = aborted.next();
  stop.abort();
  expect((await pending).done).toBe(true);
  await returned.return?.();
  expect((await returned.next()).done).toBe(true);
  const next = other.next();
  await volume.write(authority.issue().files());
  expect((await next).value.number).toBe(2);
  expect((await source.watch(AbortSignal.abort()).next()).done).toBe(true);
});

test("without a good identity in time the error names the last refusal, and nothing is left behind", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  await writeEmpty(volume, "ca.crt");
  const clock = createManualClock(Date.now());
  const starting = watchFiles({ directory: volume.directory, clock, firstTimeoutMs: 1_000 });
  const failed = expect(starting).rejects.toMatchObject({
    name: "RotationError",
    code: "ERR_ROTATION_NO_IDENTITY",
    message: "no good identity in time: ca.crt is empty; no identity to keep yet",
  });
  await clock.advance(1_000);
  await failed;
  expect(clock.pending).toBe(0);
});

test("a signal ends the wait for the first identity with its reason as the cause", async () => {
  await using scratch = await createScratch();
  const stop = new AbortController();
  const starting = watchFiles({ directory: join(scratch.path, "none"), signal: stop.signal });
  stop.abort(new Error("shutting down"));
  await expect(starting).rejects.toMatchObject({
    code: "ERR_ROTATION_NO_IDENTITY",
    cause: new Error("shutting down"),
  });
});

test("options without files are refused before anything starts", async () => {
  // @ts-expect-error neither a directory nor files
  await expect(watchFiles({})).rejects.toMatchObject({ code: "ERR_ROTATION_OPTIONS" });
});

test("a reload reads at once and waits for the outcome", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  await using source = await watchFiles({ directory: volume.directory });
  await refusalOf(source, "empty_bundle", async () => {
    await writeEmpty(volume, "ca.crt");
    await source.reload();
    expect(source.status().lastRefusal?.code).toBe("empty_bundle");
  });
  const next = authority.issue();
  await volume.write(next.files());
  await source.reload();
  expect(source.current().leaf.sha256).toBe(next.certificate.sha256);
});
