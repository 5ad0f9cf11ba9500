import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { readPostgresDirectory } from "./look-at-postgres.ts";

test("a data directory may be named relative to the working directory", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-doctor-"));
  try {
    await writeFile(join(directory, "postgresql.conf"), "ssl_cert_file = 'mine.crt'\n");
    const { facts, store } = await readPostgresDirectory(relative(process.cwd(), directory));
    expect(facts.problem).toBeUndefined();
    expect(store?.certificate).toBe(join(directory, "mine.crt"));
  } finally {
    await rm(directory, { recursive: true });
  }
});
