import { Worker } from "node:worker_threads";
import type { VolumeFiles } from "@newleaf/testing";

/** A thread that swaps a volume as the kubelet does, as fast as the file system goes. */
export interface FullSpeedWriter {
  /** At least 2,000 swaps, and further ones until this is called; resolves with their number. */
  finish(): Promise<number>;
}

const LEAST_SWAPS = 2_000;

const CODE = `
  const { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
  const { parentPort, workerData: { directory, contents, least, finish } } = require("node:worker_threads");
  const at = (name) => directory + "/" + name;
  let n = 0;
  for (; n < least || Atomics.load(finish, 0) === 0; n++) {
    mkdirSync(at("..swap" + n));
    const files = Object.entries(contents[n % contents.length]);
    for (const [name, text] of files) writeFileSync(at("..swap" + n + "/" + name), text);
    symlinkSync("..swap" + n, at("..data_tmp"));
    renameSync(at("..data_tmp"), at("..data"));
    if (n === 0) for (const [name] of files) symlinkSync("..data/" + name, at(name));
    else rmSync(at("..swap" + (n - 1)), { recursive: true });
  }
  parentPort.postMessage(n);`;

/** Publishes the contents in turn. */
export function startFullSpeedWriter(
  directory: string,
  contents: readonly VolumeFiles[],
  least: number = LEAST_SWAPS,
): FullSpeedWriter {
  const finish = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(CODE, { eval: true, workerData: { directory, contents, least, finish } });
  const swaps = new Promise<number>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  return {
    finish() {
      Atomics.store(finish, 0, 1);
      return swaps;
    },
  };
}
