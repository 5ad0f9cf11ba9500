import { randomBytes } from "node:crypto";
import { renameSync } from "node:fs";
import { readdir, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { removeSwappedDirectories } from "./directory-publisher.ts";
import type { FilePublisher, FilePublisherOptions } from "./file-publisher.ts";
import type { FileSet } from "./file-set.ts";
import { writeError } from "./write-error.ts";
import { syncAll, writeNewFile } from "./write-new-file.ts";

const MARK = ".newleaf-tmp-";

/**
 * Plain files. All are written beside their places first; then each is renamed, which takes microseconds together.
 * Between two renames a reader can see files of two updates, which `directory` excludes.
 */
export function createPlainPublisher({ directory, owner, words }: FilePublisherOptions): FilePublisher {
  const published = new Map<string, readonly string[]>();
  let tidied = false;
  return {
    async publish(group, files) {
      const temporary = new Map<string, string>();
      try {
        if (!tidied) await removeLeftovers(directory, files);
        tidied = true;
        for (const name of files.keys()) {
          const path = join(
            directory,
            dirname(name),
            `.${basename(name)}${MARK}${randomBytes(6).toString("hex")}`,
          );
          temporary.set(name, path);
        }
        for (const [name, file] of files) writeNewFile(temporary.get(name) ?? "", file, owner);
        await syncAll([...temporary.values()]);
        // Synchronous: waiting for the thread pool between two of them would be most of the time they take.
        for (const [name, path] of temporary) renameSync(path, join(directory, name));
        const vanished = (published.get(group) ?? []).filter((name) => !files.has(name));
        for (const name of vanished) await rm(join(directory, name), { force: true });
        published.set(group, [...files.keys()]);
        await syncAll([directory]);
        removeSwappedDirectories(directory, undefined);
      } catch (error) {
        for (const path of temporary.values()) await unlink(path).catch(() => {});
        throw writeError(directory, error, words);
      }
    },
  };
}

/** What a process that was killed in the middle has left. */
async function removeLeftovers(directory: string, files: FileSet): Promise<void> {
  for (const folder of new Set([...files.keys()].map((name) => dirname(name)))) {
    const names = await readdir(join(directory, folder));
    const left = names.filter((name) =>
      [...files.keys()].some((file) => name.startsWith(`.${basename(file)}${MARK}`)),
    );
    for (const name of left) await rm(join(directory, folder, name), { force: true });
  }
}
