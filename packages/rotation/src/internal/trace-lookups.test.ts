import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { traceLookups } from "./trace-lookups.ts";

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "newleaf-trace-")));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const trace = (path: string): Record<string, string[]> =>
  Object.fromEntries([...traceLookups([path])].map(([directory, names]) => [directory, [...names].sort()]));

test("a plain file is looked up in its directory, and that in its parent", () => {
  mkdirSync(join(root, "tls"));
  writeFileSync(join(root, "tls", "tls.crt"), "");
  expect(trace(join(root, "tls", "tls.crt"))).toEqual({
    [join(root, "tls")]: ["..data", "tls.crt"],
    [root]: ["tls"],
  });
});

test("what lies behind ..data is not watched", () => {
  mkdirSync(join(root, "tls", "..2030"), { recursive: true });
  writeFileSync(join(root, "tls", "..2030", "tls.crt"), "");
  symlinkSync("..2030", join(root, "tls", "..data"));
  symlinkSync("..data/tls.crt", join(root, "tls", "tls.crt"));
  expect(trace(join(root, "tls", "tls.crt"))).toEqual({
    [join(root, "tls")]: ["..data", "tls.crt"],
    [root]: ["tls"],
  });
});

test("each link on the way is watched where it is, and where it leads", () => {
  mkdirSync(join(root, "releases", "2"), { recursive: true });
  mkdirSync(join(root, "archive"));
  writeFileSync(join(root, "archive", "cert2.pem"), "");
  symlinkSync(join(root, "releases", "2"), join(root, "current"));
  symlinkSync("../../archive/cert2.pem", join(root, "releases", "2", "tls.crt"));
  expect(trace(join(root, "current", "tls.crt"))).toEqual({
    [root]: ["archive", "current"],
    [join(root, "releases", "2")]: ["..data", "tls.crt"],
    [join(root, "releases")]: ["2"],
    [join(root, "archive")]: ["cert2.pem"],
  });
});

test("where nothing is yet, the first missing entry is watched", () => {
  expect(trace(join(root, "a", "b", "tls.crt"))).toEqual({
    [root]: ["a"],
    [dirname(root)]: [basename(root)],
  });
});

test("links in a circle end", () => {
  symlinkSync("b", join(root, "a"));
  symlinkSync("a", join(root, "b"));
  expect(trace(join(root, "a"))[root]).toEqual(["..data", "a", "b"]);
});
