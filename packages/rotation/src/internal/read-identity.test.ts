import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ReadFile, type ReadOutcome, readIdentity } from "./read-identity.ts";

const NAMES = ["tls.crt", "tls.key", "ca.crt"];

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "newleaf-read-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (name: string): string => join(root, name);

function publish(version: number): void {
  mkdirSync(at(`..v${version}`));
  for (const name of NAMES) writeFileSync(at(`..v${version}/${name}`), `${version}`);
  symlinkSync(`..v${version}`, at("..data_tmp"));
  renameSync(at("..data_tmp"), at("..data"));
}

function link(): void {
  for (const name of NAMES) symlinkSync(join("..data", name), at(name));
}

function read(readFile?: ReadFile): ReadOutcome {
  const paths = { certificate: at("tls.crt"), key: at("tls.key"), trust: at("ca.crt"), crl: undefined };
  return readIdentity(paths, 1_000, readFile);
}

/** Reads, and runs each of the steps before one of the files is read. */
function readWith(...steps: readonly (() => void)[]): ReadOutcome {
  const ahead = [...steps];
  return read((path) => {
    ahead.shift()?.();
    return readFileSync(path);
  });
}

function versions(outcome: ReadOutcome): string[] {
  if (!outcome.ok) throw new Error(outcome.message);
  const { certificates, key, trust } = outcome.material;
  return [certificates, key, trust].map(String);
}

const nothing = (): void => {};

test("a swap between two files, old directory kept, changes nothing for this read", () => {
  publish(1);
  link();
  expect(versions(readWith(nothing, () => publish(2)))).toEqual(["1", "1", "1"]);
  expect(versions(read())).toEqual(["2", "2", "2"]);
});

test("a swap that deletes the directory being read starts the read again", () => {
  publish(1);
  link();
  const swap = (from: number) => (): void => {
    publish(from + 1);
    rmSync(at(`..v${from}`), { recursive: true });
  };
  expect(versions(readWith(nothing, swap(1), nothing, swap(2)))).toEqual(["3", "3", "3"]);
});

test("a plain directory that becomes a volume between two files is read again as one", () => {
  link();
  const outcome = readWith(
    () => publish(1),
    () => publish(2),
    nothing,
  );
  expect(versions(outcome)).toEqual(["2", "2", "2"]);
  expect(outcome).toMatchObject({ ok: true, atomic: true });
});

test("a linked directory is read where the link led at first", () => {
  for (const version of [1, 2]) {
    mkdirSync(at(`r${version}`));
    for (const name of NAMES) writeFileSync(at(`r${version}/${name}`), `${version}`);
  }
  symlinkSync("r1", at("current"));
  const swap = (): void => {
    symlinkSync("r2", at("new"));
    renameSync(at("new"), at("current"));
  };
  let step = 0;
  const paths = {
    certificate: at("current/tls.crt"),
    key: at("current/tls.key"),
    trust: at("current/ca.crt"),
  };
  const outcome = readIdentity({ ...paths, crl: undefined }, 1_000, (path) => {
    if (step++ === 1) swap();
    return readFileSync(path);
  });
  expect(new Set(versions(outcome)).size).toBe(1);
});

test("what cannot be read is told apart from what is missing", () => {
  for (const name of NAMES) writeFileSync(at(name), "1");
  expect(versions(read())).toEqual(["1", "1", "1"]);
  rmSync(at("tls.key"));
  expect(read()).toMatchObject({ ok: false, code: "missing", message: `${at("tls.key")} is missing` });
  symlinkSync("tls.key", at("tls.key"));
  expect(read()).toMatchObject({ code: "unreadable", message: `${at("tls.key")} cannot be read (ELOOP)` });
  rmSync(at("tls.key"));
  mkdirSync(at("tls.key"));
  expect(read()).toMatchObject({ code: "unreadable", message: `${at("tls.key")} is not a regular file` });
  rmSync(at("tls.key"), { recursive: true });
  symlinkSync("/dev/zero", at("tls.key"));
  expect(read()).toMatchObject({ code: "unreadable" });
  rmSync(at("tls.key"));
  writeFileSync(at("tls.key"), "x".repeat(1_001));
  expect(read()).toMatchObject({ code: "too_large" });
});

test.skipIf(process.getuid?.() === 0)("a file without permission is unreadable", () => {
  for (const name of NAMES) writeFileSync(at(name), "1");
  chmodSync(at("tls.key"), 0);
  expect(read()).toMatchObject({ code: "unreadable", message: expect.stringContaining("EACCES") });
});

test("a missing revocation list has a code of its own", () => {
  for (const name of NAMES) writeFileSync(at(name), "1");
  const paths = { certificate: at("tls.crt"), key: at("tls.key"), trust: at("ca.crt"), crl: at("crl.pem") };
  expect(readIdentity(paths, 1_000)).toMatchObject({ code: "crl_missing" });
});
