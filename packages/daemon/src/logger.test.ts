import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createOutput } from "../test/captured-output.ts";
import { createLogger } from "./logger.ts";

test("JSON lines when the stream is no terminal: constant message, data in fields", async () => {
  const stream = createOutput();
  const logger = await createLogger({ stream });
  logger.info({ generation: 3 }, "rotation complete");
  logger.debug({}, "not shown at info");
  const line = JSON.parse(stream.text());
  expect(line).toEqual({ level: "info", time: expect.any(String), generation: 3, msg: "rotation complete" });
  expect(new Date(line.time).toISOString()).toBe(line.time);
});

test("pretty on a terminal, coloured only when asked", async () => {
  const stream = createOutput(true);
  const logger = await createLogger({ stream, colors: false });
  logger.warn({ code: "torn" }, "update refused");
  expect(stream.text()).toMatch(/^\[[\d:.]+\] WARN: update refused \{"code":"torn"\}\n$/);
  const coloured = createOutput(true);
  (await createLogger({ stream: coloured, colors: true })).error({}, "stopped");
  expect(coloured.text()).toContain("\u001b[");
});

test("pretty lines stay short: deep data shrinks to its size, digests to their beginning", async () => {
  const stream = createOutput(true);
  const logger = await createLogger({ stream, colors: false });
  const sha256 = "ab".repeat(32);
  logger.info(
    { rotation: { generation: 7, sha256, afterMs: { served: 3 }, consumers: [{ a: 1 }], d: { e: "f" } } },
    "done",
  );
  expect(stream.text()).toContain(
    `done {"rotation":{"generation":7,"sha256":"abababababab…","afterMs":{"served":3},"consumers":"[1]","d":"{1}"}}`,
  );
});

test("silent writes nothing", async () => {
  const stream = createOutput();
  (await createLogger({ stream, level: "silent" })).error({}, "unheard");
  expect(stream.text()).toBe("");
});

test("with a descriptor every line is written before the call returns; async ones after flush", async () => {
  const directory = mkdtempSync(join(tmpdir(), "newleaf-logger-"));
  try {
    for (const sync of [true, false]) {
      const path = join(directory, `${sync}.log`);
      const fd = openSync(path, "w");
      const logger = await createLogger({ stream: { fd, write: () => {} }, sync });
      for (let line = 0; line < 100; line++) logger.info({ line }, "line");
      if (!sync) logger.flush();
      expect(readFileSync(path, "utf8").trimEnd().split("\n")).toHaveLength(100);
      closeSync(fd);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
