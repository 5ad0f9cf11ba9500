import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../", import.meta.url).pathname;

test("docs/errors.md lists exactly the error codes of the source", () => {
  const sources = ["packages", "apps"]
    .flatMap((group) =>
      readdirSync(`${root}${group}`, { recursive: true }).map((path) => `${group}/${String(path)}`),
    )
    .filter((path) => /^[^/]+\/[^/]+\/src\/.*\.ts$/.test(path) && !path.endsWith(".test.ts"));
  const inSource = new Set(
    sources.flatMap(
      (path) => readFileSync(`${root}${path}`, "utf8").match(/"ERR_[A-Z0-9]+_[A-Z0-9_]+"/g) ?? [],
    ),
  );
  // Codes that Node.js or OpenSSL define are read, not thrown.
  const own = [...inSource]
    .map((code) => code.slice(1, -1))
    .filter((code) => !/^ERR_(SSL|TLS|HTTP2?|OSSL|STREAM|SOCKET|INVALID)_/.test(code));
  const documented =
    readFileSync(`${root}docs/errors.md`, "utf8")
      .match(/^\| `(ERR_[A-Z0-9_]+)`/gm)
      ?.map((row) => row.slice(3, -1)) ?? [];
  expect(documented.sort()).toEqual(own.sort());
});

const union = (path: string, name: string): string[] => {
  const text = readFileSync(`${root}${path}`, "utf8");
  const body = new RegExp(`export type ${name} =([^;]+);`).exec(text)?.[1] ?? "";
  return [...body.matchAll(/"([a-z_]+)"/g)].map(([, code = ""]) => code);
};

test("docs/refusals.md names every rejection code", () => {
  const documented = readFileSync(`${root}docs/refusals.md`, "utf8");
  const codes = [
    ...union("packages/rotation/src/rejection.ts", "RejectionCode"),
    ...union("packages/x509/src/path-failure.ts", "PathFailureCode"),
  ];
  expect(codes.length).toBeGreaterThan(20);
  expect(codes.filter((code) => !documented.includes(`\`${code}\``))).toEqual([]);
});

test("docs/updates.md names every refusal code", () => {
  const documented = readFileSync(`${root}docs/updates.md`, "utf8");
  const codes = union("packages/rotation/src/identity-source.ts", "RefusalCode");
  expect(codes.length).toBeGreaterThan(15);
  expect(codes.filter((code) => !documented.includes(`\`${code}\``))).toEqual([]);
});
