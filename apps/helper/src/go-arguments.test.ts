import { expect, test } from "vitest";
import { helperArguments } from "./helper-command.ts";

test.each([
  [["-config", "a b"], ["--config=a b"]],
  [
    ["--config=x", "-daemon-mode=false"],
    ["--config=x", "--daemon-mode=false"],
  ],
  [
    ["-daemon-mode", "-config", "x"],
    ["--daemon-mode=true", "--config=x"],
  ],
  [["-version"], ["--version"]],
  [["-h"], ["--help"]],
  [["-help"], ["--help"]],
  [["-cert-dir", "-x"], ["--cert-dir=-x"]],
  [
    ["-config", "x", "--", "envoy", "-c"],
    ["--config=x", "--", "envoy", "-c"],
  ],
  [
    ["-config", "x", "envoy", "-version"],
    ["--config=x", "--", "envoy", "-version"],
  ],
  [["-config"], ["--config"]],
  [
    ["-", "x"],
    ["--", "-", "x"],
  ],
])("Go's flags %j are ours %j", (given, expected) => {
  expect(helperArguments(given)).toEqual(expected);
});
