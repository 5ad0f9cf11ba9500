import { EventEmitter } from "node:events";
import { type FSWatcher, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createManualClock, createTestAuthority, writePlainFiles } from "@newleaf/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createIdentityHolder } from "../identity-holder.ts";
import { createDirectoryWatcher, type WatchDirectory } from "./directory-watcher.ts";
import { followFiles } from "./follow-files.ts";

const authority = createTestAuthority();
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "newleaf-follow-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Follows the directory by the manual clock, with watches made by `watch`. */
async function follow(watch: WatchDirectory) {
  const clock = createManualClock(Date.now());
  const holder = createIdentityHolder({ clock });
  const at = (name: string): string => join(directory, name);
  const paths = { certificate: at("tls.crt"), key: at("tls.key"), trust: at("ca.crt"), crl: undefined };
  await writePlainFiles(directory, authority.issue().files());
  const files = followFiles(paths, holder, {
    clock,
    settleMs: 50,
    pollMs: 10_000,
    maxBytes: 2 ** 20,
    createWatcher: (onEvent) => createDirectoryWatcher(onEvent, watch),
  });
  files.start();
  const number = (): number | undefined => holder.current()?.number;
  const close = (): void => {
    files.close();
    holder.close();
  };
  return { clock, files, number, close };
}

function exhausted(): never {
  throw Object.assign(new Error("no space"), { code: "ENOSPC" });
}

test("without events the poll finds a change", async () => {
  const deaf: WatchDirectory = () => Object.assign(new EventEmitter(), { close: () => {} }) as FSWatcher;
  const { clock, files, number, close } = await follow(deaf);
  expect(number()).toBe(1);
  await writePlainFiles(directory, authority.issue().files());
  await clock.advance(9_000);
  expect(number()).toBe(1);
  await clock.advance(1_100);
  expect(number()).toBe(2);
  expect(files.warnings()).toEqual([]);
  close();
  expect(clock.pending).toBe(0);
});

test("where the kernel has no watches left the files are read every second, with a warning, until it has", async () => {
  let watches: FSWatcher[] = [];
  let left = 0;
  const watch: WatchDirectory = () => {
    if (left === 0) exhausted();
    const watcher = Object.assign(new EventEmitter(), { close: () => {} }) as FSWatcher;
    watches.push(watcher);
    return watcher;
  };
  const { clock, files, number, close } = await follow(watch);
  expect(files.warnings()).toContain(
    `${directory} cannot be watched (ENOSPC); it is read every second instead`,
  );
  await writePlainFiles(directory, authority.issue().files());
  await clock.advance(1_100);
  expect(number()).toBe(2);
  left = 10;
  await clock.advance(1_000);
  expect(files.warnings()).toEqual([]);
  const [first] = watches;
  watches = [];
  first?.emit("error", Object.assign(new Error("gone"), { code: "EMFILE" }));
  expect(files.warnings()).toEqual([expect.stringContaining("(EMFILE)")]);
  await clock.advance(10_000);
  expect(files.warnings()).toEqual([]);
  close();
});

test("plain files that never changed past two thirds of the life look like a subPath mount", async () => {
  const deaf: WatchDirectory = () => Object.assign(new EventEmitter(), { close: () => {} }) as FSWatcher;
  const { clock, files, close } = await follow(deaf);
  await clock.advance(45 * 60_000);
  expect(files.warnings()).toEqual([
    `${join(directory, "tls.crt")} never changed; a subPath mount never does: mount the whole volume`,
  ]);
  close();
});
