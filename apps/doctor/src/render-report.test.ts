import { createStyle } from "@newleaf/daemon";
import { createTestAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import type { Report } from "./diagnosis.ts";
import { renderReport, reportJson } from "./render-report.ts";

const now = new Date();
const { certificate } = createTestAuthority().issue({ dnsNames: ["db"], ttlMs: 3_600_000 });
const report: Report = {
  ok: false,
  rows: [
    {
      target: "postgres://db",
      stored: certificate,
      served: certificate,
      lastReload: new Date(now.getTime() - 120_000),
      verdict: "not_reloaded",
    },
    {
      target: "https://web",
      stored: undefined,
      served: undefined,
      lastReload: undefined,
      verdict: "no_answer",
    },
  ],
  diagnoses: [
    {
      code: "not_reloaded",
      subject: "postgres://db",
      severity: "wrong",
      certificates: true,
      message: "it still serves it",
      remedy: "Reload it.",
      command: "pg_ctl reload",
    },
  ],
};

test("a table, then each finding with what mends it", () => {
  const [table = "", finding] = renderReport(report, createStyle(false), now).split("\n\n");
  const serial = certificate.serialNumber.replaceAll(":", "").toLowerCase().slice(0, 12);
  expect(table.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["target", "verdict", "stored", "served", "expires", "last reload"],
    ["postgres://db", "not_reloaded", serial, serial, "in 59m", "2m ago"],
    ["https://web", "no_answer", "-", "-", "-", "-"],
  ]);
  expect(finding).toBe("not_reloaded postgres://db\n  It still serves it.\n  Reload it.\n    pg_ctl reload");
});

test("serial numbers that begin the same are shown whole, because authorities count", () => {
  const [first] = report.rows;
  if (!first) throw new Error("a row");
  const numbered = (serialNumber: string) => ({ ...certificate, serialNumber });
  const row = { ...first, stored: numbered("0D1FF331A1860B02"), served: numbered("0D1FF331A1860B01") };
  const [table = ""] = renderReport({ ...report, rows: [row] }, createStyle(false), now).split("\n\n");
  expect(table).toMatch(/ 0d1ff331a1860b02 +0d1ff331a1860b01 /);
});

test("nothing wrong is said, too", () => {
  const [row] = report.rows;
  if (!row) throw new Error("a row");
  const well: Report = { ok: true, rows: [{ ...row, verdict: "well" }], diagnoses: [] };
  expect(renderReport(well, createStyle(false), now)).toMatch(/ well .*\n\nAll is well\.$/s);
});

test("JSON has the facts of both certificates and no key", () => {
  expect(JSON.parse(JSON.stringify(reportJson(report)))).toMatchObject({
    ok: false,
    targets: [{ verdict: "not_reloaded", served: { identity: "db", sha256: certificate.sha256 } }, {}],
    diagnoses: [{ code: "not_reloaded", command: "pg_ctl reload" }],
  });
});
