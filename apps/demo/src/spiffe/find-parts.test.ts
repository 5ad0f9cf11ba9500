import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readAccount } from "./account.ts";
import { findParts } from "./find-parts.ts";

function createBox(...programs: readonly string[]): string {
  const box = mkdtempSync(join(tmpdir(), "nl-parts-"));
  onTestFinished(() => rmSync(box, { recursive: true }));
  for (const path of programs) {
    mkdirSync(join(box, path, ".."), { recursive: true });
    writeFileSync(join(box, path), "");
    chmodSync(join(box, path), 0o755);
  }
  return box;
}

test.skipIf(readAccount() === "nobody")(
  "a link in PATH is followed to the folder that has initdb, too (needs: not root, or a user postgres)",
  () => {
    const box = createBox("15/bin/postgres", "15/bin/initdb", "bin/other");
    symlinkSync(join(box, "15/bin/postgres"), join(box, "bin/postgres"));
    expect(findParts({ PATH: `${join(box, "none")}:${join(box, "bin")}` }).postgres).toBe(
      join(box, "15/bin"),
    );
  },
);

test("a server without initdb is none", () => {
  const box = createBox("bin/postgres");
  expect(findParts({ PATH: join(box, "bin") }).postgres).not.toBe(join(box, "bin"));
});

test("Envoy is what NEWLEAF_ENVOY names, else what PATH has; what cannot be run is none", () => {
  const box = createBox("bin/envoy", "other/envoy", "plain/envoy");
  chmodSync(join(box, "plain/envoy"), 0o644);
  expect(findParts({ PATH: join(box, "bin") }).envoy).toBe(join(box, "bin/envoy"));
  expect(findParts({ PATH: join(box, "plain") }).envoy).toBeUndefined();
  expect(findParts({ NEWLEAF_ENVOY: join(box, "other/envoy"), PATH: join(box, "bin") }).envoy).toBe(
    join(box, "other/envoy"),
  );
  expect(findParts({}).envoy).toBeUndefined();
});
