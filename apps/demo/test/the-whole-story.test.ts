import { expect, test } from "vitest";
import { runDemo } from "../src/run-demo.ts";
import { contextWith } from "./demo-context.ts";

test("rotations under load, the rogue, the legacy application and a CA rollover, with no failed request", async () => {
  const lines: string[] = [];
  const result = await runDemo({ duration: 14_000, rotateEvery: 750 }, contextWith(lines));
  expect(result.problems).toEqual([]);
  expect(result.failures).toBe(0);
  expect(result.rotations).toBeGreaterThan(5);
  expect(result.caRollovers).toBe(1);
  expect(result.legacy).toMatchObject({ reason: "expired" });
  const rows = [
    "no_certificate",
    "unknown_authority",
    "expired",
    "not_yet_valid",
    "wrong_usage",
    "not_allowed",
    "ca_as_leaf",
    "revoked",
    "unsupported_protocol",
    "plain_http",
    "not_tls",
    "handshake_timeout",
  ];
  for (const code of rows) expect(result.refused[code], code).toBeGreaterThan(0);
  for (const [name, tally] of Object.entries(result.clients)) expect(tally.requests, name).toBeGreaterThan(0);
  expect(lines.some((line) => line.includes("proved"))).toBe(true);
}, 60_000);
