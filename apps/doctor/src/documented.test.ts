import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

test("docs/doctor.md explains each code, and no others", () => {
  const type = /type DiagnosisCode =([^;]+);/.exec(read("diagnosis.ts"))?.[1] ?? "";
  const codes = [...type.matchAll(/"(\w+)"/g)].map(([, code]) => code);
  const table = read("../../../docs/doctor.md").split("## What it finds")[1]?.split("##")[0] ?? "";
  const documented = [...table.matchAll(/^\| `(\w+)` /gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect(documented.sort()).toEqual(codes.sort());
});

test("docs/webhook.md has an entry for each code of a webhook", () => {
  const type = /type DiagnosisCode =([^;]+);/.exec(read("diagnosis.ts"))?.[1] ?? "";
  const own = /An elected webhook certificate\.([^/]+)\/\//.exec(type)?.[1] ?? "";
  const codes = [...own.matchAll(/"(\w+)"/g)].map(([, code]) => code);
  const troubles = read("../../../docs/webhook.md").split("## Troubleshooting")[1] ?? "";
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !troubles.includes(`\`${code}\``))).toEqual([]);
});

test("docs/webhook.md quotes log lines as the source has them, those of the seed first", () => {
  const table = read("../../../docs/webhook.md").split("## Log lines")[1]?.split("## ")[0] ?? "";
  const messages = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, message = ""]) => message);
  expect(messages.slice(0, 5)).toEqual([
    "Lease watch established, monitoring for certificate updates",
    "Lease watch event received",
    "Certificate hash mismatch, waiting for kubelet sync",
    "Certificate loaded and verified",
    "Lease watch closed, restarting watch",
  ]);
  const source = ["packages/kube", "packages/webhook", "apps/webhook"].map(sourceOf).join("\n");
  expect(messages.filter((message) => !source.includes(`"${message}"`))).toEqual([]);
});

function sourceOf(path: string): string {
  const folder = new URL(`../../../${path}/src/`, import.meta.url);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => readFileSync(new URL(name, folder), "utf8"))
    .join("\n");
}
