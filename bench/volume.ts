import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestIdentity } from "@newleaf/testing";

/**
 * A directory as kubelet's AtomicWriter lays it out. Everything is written beforehand, so that `swap` is the rename
 * and nothing else that takes time.
 */
export interface Volume {
  readonly directory: string;
  stage(identity: TestIdentity): void;
  /** Publishes what was staged, then removes the folder before it; returns the moment of the rename. */
  swap(options?: { readonly keepOld?: boolean }): number;
}

export function createVolume(directory: string, first: TestIdentity): Volume {
  mkdirSync(directory, { recursive: true });
  const data = join(directory, "..data");
  let generation = 0;
  const folder = (number: number): string => `..${number}`;
  const volume: Volume = {
    directory,
    stage(identity) {
      const next = join(directory, folder(generation + 1));
      mkdirSync(next);
      for (const [name, content] of Object.entries(identity.files())) {
        writeFileSync(join(next, name), content, { mode: 0o600 });
      }
    },
    swap({ keepOld = false } = {}) {
      const before = join(directory, folder(generation));
      generation += 1;
      symlinkSync(folder(generation), `${data}_tmp`);
      const swappedNs = Number(process.hrtime.bigint());
      renameSync(`${data}_tmp`, data);
      if (!keepOld) rmSync(before, { recursive: true, force: true });
      return swappedNs;
    },
  };
  volume.stage(first);
  volume.swap();
  for (const name of Object.keys(first.files())) symlinkSync(join("..data", name), join(directory, name));
  return volume;
}
