import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { blockKeys, scalarKeys } from "../src/config/keys.ts";

const root = new URL("../", import.meta.url).pathname;
const page = readFileSync(`${root}../../docs/migrating-from-spiffe-helper.md`, "utf8");
const own = readFileSync(`${root}../../docs/helper.md`, "utf8");
// Files are published by a mechanism that other programs share.
const tests = ["src", "test", "../../packages/daemon/src/publish"]
  .flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true }).map((path) => `${folder}/${String(path)}`),
  )
  .filter((path) => path.endsWith(".test.ts"))
  .map((path) => readFileSync(`${root}${path}`, "utf8").replaceAll('\\"', '"'));

test("each row of the page names a test that exists", () => {
  const titles = page.split("\n").flatMap((line) => /\| `([^`]+)` \|$/.exec(line)?.[1] ?? []);
  expect(titles.length).toBeGreaterThan(50);
  expect(titles.filter((title) => !tests.some((text) => text.includes(title)))).toEqual([]);
});

test("every key is on one of the two pages", () => {
  const keys = [...Object.keys(scalarKeys), ...Object.keys(blockKeys)];
  expect(keys.filter((key) => !page.includes(`\`${key}`) && !own.includes(`\`${key}`))).toEqual([]);
});
