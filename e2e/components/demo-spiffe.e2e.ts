// `newleaf demo spiffe` as a user runs it: the outage and its diagnosis, the closed loop under load, and nothing left
// behind. Needs: nothing; PostgreSQL and Envoy take part where they are.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { component } from "../component.ts";
import { type RunningProcess, startNewleaf } from "../process.ts";
import { until } from "../until.ts";

const [postgres, envoy] = [component("NEWLEAF_POSTGRES"), component("NEWLEAF_ENVOY")];

test("both acts: the outage comes and is explained, the closed loop proves every rotation and loses nothing", async () => {
  const { demo, box } = startDemo("--json");
  expect(await demo.exit(120_000), demo.lines.join("\n")).toBe(0);
  const line = demo.lines.find((each) => each.startsWith("{")) ?? "";
  const result = JSON.parse(line) as Record<string, unknown>;
  expect(result).toMatchObject({
    failures: 0,
    problems: [],
    interrupted: false,
    outage: {
      failedAfterMs: expect.any(Number),
      reason: expect.stringContaining("expired"),
      diagnosis: ["served_expired"],
      words: expect.arrayContaining([
        expect.stringMatching(
          postgres === undefined ? /^kill -HUP/ : /^pg_ctl reload -D .*\/postgres\/data$/,
        ),
      ]),
    },
    parts: { postgresql: postgres !== undefined, envoy: envoy !== undefined },
  });
  expect(result.rotations).toBeGreaterThanOrEqual(10);
  const clients = result.clients as Record<string, { requests: number; failures: number }>;
  expect(clients.frontend?.requests).toBeGreaterThan(100);
  expect(clients["new sessions"]?.requests).toBeGreaterThan(50);
  expect(leftBehind(box)).toEqual([]);
}, 150_000);

test("Ctrl-C in act two: the table so far, 130, and neither children nor files are left", async () => {
  const { demo, box } = startDemo();
  await demo.line(/database serves .* proved/, 60_000);
  expect(leftBehind(box)).not.toEqual([]);
  demo.child.kill("SIGINT");
  expect(await demo.exit(20_000)).toBe(130);
  const said = demo.lines.join("\n");
  expect(said).toMatch(/Interrupted; the result so far[\s\S]*served_expired/);
  expect(said).not.toContain("problem:");
  await until("its processes have gone", () => leftBehind(box).length === 0, 5_000);
}, 120_000);

/** With a folder for temporary files of its own, which the database's user may enter. */
function startDemo(...args: readonly string[]): { readonly demo: RunningProcess; readonly box: string } {
  const box = mkdtempSync(join(tmpdir(), "nl-demo-"));
  chmodSync(box, 0o755);
  const demo = startNewleaf(["demo", "spiffe", ...args], {
    TMPDIR: box,
    ...(envoy === undefined ? {} : { NEWLEAF_ENVOY: envoy }),
  });
  onTestFinished(async () => {
    await demo[Symbol.asyncDispose]();
    rmSync(box, { recursive: true, force: true });
  });
  return { demo, box };
}

/** Files of the demo, and processes that were started with one. */
function leftBehind(box: string): readonly string[] {
  const commands = readdirSync("/proc").flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")] : [];
    } catch {
      return [];
    }
  });
  return [...readdirSync(box), ...commands.filter((command) => command.includes(box))];
}
