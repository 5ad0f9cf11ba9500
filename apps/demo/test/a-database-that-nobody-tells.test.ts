import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { runSpiffeDemo } from "../src/spiffe/run-spiffe-demo.ts";
import { contextWith } from "./demo-context.ts";
import { ownTmpdir } from "./own-tmpdir.ts";

const parts = { postgres: undefined, envoy: undefined };

test("on the stand-in: the outage comes, the doctor explains it, and the closed loop loses no request", async () => {
  const box = ownTmpdir();
  const lines: string[] = [];
  const result = await runSpiffeDemo({ duration: 20_000, parts }, contextWith(lines));
  expect(result.problems, lines.join("\n")).toEqual([]);
  expect(result.failures).toBe(0);
  expect(result.outage).toMatchObject({
    // Said by OpenSSL or, within the second in which it still hesitates, by our own check.
    reason: expect.stringMatching(/expired/),
    diagnosis: ["served_expired"],
    words: expect.arrayContaining([expect.stringContaining("the server has not read it")]),
  });
  expect(result.outage.failedAfterMs).toBeGreaterThan(3_000);
  expect(result.rotations).toBeGreaterThanOrEqual(3);
  expect(Object.keys(result.clients)).toEqual(["new sessions", "frontend"]);
  for (const [name, { requests }] of Object.entries(result.clients))
    expect(requests, name).toBeGreaterThan(0);
  expect(result.parts).toEqual({ postgresql: false, envoy: false });
  expect(lines.join("\n")).toMatch(
    /a stand-in that reads its files as it does[\s\S]*envoy is not on this machine/,
  );
  expect(readdirSync(box)).toEqual([]);
}, 90_000);

test("interrupted in act one, it says how far it came, finds nothing amiss, and leaves nothing behind", async () => {
  const box = ownTmpdir();
  const lines: string[] = [];
  const stop = new AbortController();
  const running = runSpiffeDemo({ duration: 20_000, parts }, contextWith(lines, stop.signal));
  await expect.poll(() => lines.join("\n"), { timeout: 30_000 }).toContain("a handshake shows");
  stop.abort(new Error("interrupted by SIGINT"));
  expect(await running).toMatchObject({
    interrupted: true,
    problems: [],
    outage: { failedAfterMs: null, reason: null, diagnosis: [], words: [] },
  });
  expect(readdirSync(box)).toEqual([]);
}, 60_000);
