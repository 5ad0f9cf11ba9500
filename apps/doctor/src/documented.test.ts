import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("docs/doctor.md explains each code, and no others", () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
  const type = /type DiagnosisCode =([^;]+);/.exec(read("diagnosis.ts"))?.[1] ?? "";
  const codes = [...type.matchAll(/"(\w+)"/g)].map(([, code]) => code);
  const table = read("../../../docs/doctor.md").split("## What it finds")[1]?.split("##")[0] ?? "";
  const documented = [...table.matchAll(/^\| `(\w+)` /gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect(documented.sort()).toEqual(codes.sort());
});
