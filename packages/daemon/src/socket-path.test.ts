import { expect, test } from "vitest";
import { parseSocketPath } from "./socket-path.ts";

test.each([
  ["unix:/run/app.sock", "/run/app.sock"],
  ["unix:///run/app.sock", "/run/app.sock"],
])("%s", (text, path) => {
  expect(parseSocketPath(text)).toBe(path);
});

test.each([
  ["unix:app.sock", "unix:app.sock is not an absolute path"],
  ["unix:", "unix: is not an absolute path"],
  [`unix:/${"a".repeat(107)}`, "is longer than"],
])("refuses %s", (text, message) => {
  expect(() => parseSocketPath(text)).toThrow(message);
});
