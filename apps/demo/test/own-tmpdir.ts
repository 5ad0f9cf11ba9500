import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Where whatever is left behind shows. */
export function ownTmpdir(): string {
  const [before, box] = [process.env.TMPDIR, mkdtempSync(join(tmpdir(), "nl-demo-"))];
  process.env.TMPDIR = box;
  onTestFinished(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(box, { recursive: true, force: true });
  });
  return box;
}
