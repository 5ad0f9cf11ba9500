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
      (path) =>
        readFileSync(`${root}${path}`, "utf8").match(/"ERR_(X509|ROTATION|[A-Z]+)_[A-Z0-9_]+"/g) ?? [],
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
