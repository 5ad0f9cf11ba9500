import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readBounded } from "./read-bounded.ts";

test("a file up to the limit is read whole, a longer one and one without an end are not", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-bounded-"));
  try {
    const path = join(directory, "file");
    await writeFile(path, "12345");
    expect(`${await readBounded(path, 5)}`).toBe("12345");
    expect(await readBounded(path, 4)).toBeUndefined();
    expect(await readBounded("/dev/zero", 1_000)).toBeUndefined();
    await expect(readBounded(join(directory, "other"))).rejects.toMatchObject({ code: "ENOENT" });
  } finally {
    await rm(directory, { recursive: true });
  }
});
