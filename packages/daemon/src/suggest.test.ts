import { expect, test } from "vitest";
import { suggest } from "./suggest.ts";

test.each([
  ["lisen", "listen"],
  ["certss", "certs"],
  ["tagret", "target"],
  ["ALLOW-DNS", "allow-dns"],
])("%s is close to %s", (word, meant) => {
  expect(suggest(word, ["listen", "certs", "target", "allow-dns", "admin"])).toBe(meant);
});

test("nothing is close to a stranger", () => {
  expect(suggest("frobnicate", ["listen", "certs"])).toBeUndefined();
  expect(suggest("x".repeat(1_000), ["listen"])).toBeUndefined();
});
