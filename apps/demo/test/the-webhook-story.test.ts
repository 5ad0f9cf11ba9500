import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { runWebhookDemo } from "../src/webhook/run-webhook-demo.ts";
import { renderWebhookResult } from "../src/webhook/webhook-result.ts";
import { contextWith } from "./demo-context.ts";
import { ownTmpdir } from "./own-tmpdir.ts";

test("three replicas get, renew, repair and roll their certificate, and no admission fails", async () => {
  const box = ownTmpdir();
  const lines: string[] = [];
  const context = contextWith(lines);
  const result = await runWebhookDemo({ duration: 12_000 }, context);
  expect(result.problems, lines.join("\n")).toEqual([]);
  expect(result).toMatchObject({
    failures: 0,
    caRollovers: 1,
    interrupted: false,
    forbidden: [],
    firstAdmissionMs: expect.any(Number),
    leaderTakeoverMs: expect.any(Number),
    secretRepairedMs: expect.any(Number),
    caBundleRepairedMs: expect.any(Number),
    followerCalls: { polls: 0, writes: 0, podPatches: expect.any(Number) },
  });
  const { allowed, warned, denied, failed, refusedByApiServer } = result.admissions;
  expect(failed).toBe(0);
  for (const count of [allowed, warned, denied, refusedByApiServer.beforeFirstIssue]) {
    expect(count).toBeGreaterThan(0);
  }
  expect(result.requests).toBe(allowed + warned + denied);
  expect(result.refused.subpath).toBeGreaterThan(0);
  expect(result.refused["tls-env"]).toBeGreaterThan(0);
  expect(result.renewals).toBeGreaterThanOrEqual(3);
  expect(result.rotations).toBeGreaterThanOrEqual(2 * result.renewals);
  for (const spread of [result.discoveryMs, result.kubeletMs, result.servedLagMs]) {
    expect(spread.p50).toBeGreaterThan(0);
    expect(spread.p99).toBeGreaterThanOrEqual(spread.p50);
  }
  expect(lines.join("\n")).toMatch(
    /acknowledged by 3\/3 replicas[\s\S]*the next CA signs[\s\S]*seen to serve it[\s\S]*no replica trusts the old CA/,
  );
  const table = renderWebhookResult(result, context.style);
  expect(table).toMatch(/^leader killed +another leads after \d\.\d s$/m);
  expect(table).toMatch(/^admissions +allowed \d+, warned \d+, denied \d+, failed 0$/m);
  expect(readdirSync(box)).toEqual([]);
}, 90_000);

test("interrupted before there is a certificate, it says how far it came and leaves nothing behind", async () => {
  const box = ownTmpdir();
  const lines: string[] = [];
  const stop = new AbortController();
  const context = contextWith(lines, stop.signal);
  const running = runWebhookDemo({ duration: 20_000 }, context);
  await expect.poll(() => lines.join("\n"), { timeout: 30_000 }).toContain("manifests come in");
  stop.abort(new Error("interrupted by SIGINT"));
  const result = await running;
  expect(result).toMatchObject({ interrupted: true, problems: [], firstAdmissionMs: null, caRollovers: 0 });
  const table = renderWebhookResult(result, context.style);
  expect(table).toMatch(/^\nInterrupted; the result so far\n/);
  expect(table).toMatch(/^Secret deleted +had not come yet$/m);
  expect(readdirSync(box)).toEqual([]);
}, 60_000);

test("interrupted while certificates are renewed, it finds nothing amiss", async () => {
  const lines: string[] = [];
  const stop = new AbortController();
  const running = runWebhookDemo({ duration: 30_000 }, contextWith(lines, stop.signal));
  await expect.poll(() => lines.join("\n"), { timeout: 30_000 }).toContain("served by 3/3");
  stop.abort(new Error("interrupted by SIGINT"));
  expect(await running).toMatchObject({ interrupted: true, problems: [], failures: 0 });
}, 60_000);
