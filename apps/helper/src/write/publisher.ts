import { insideName } from "../config/inside-name.ts";
import { HelperError } from "../error.ts";
import { createDirectoryPublisher } from "./directory-publisher.ts";
import type { FileSet } from "./file-set.ts";
import { createPlainPublisher } from "./plain-publisher.ts";
import type { Owner } from "./write-new-file.ts";

export interface PublisherOptions {
  readonly directory: string;
  readonly how: "directory" | "files";
  readonly owner: Owner | undefined;
  /** Which group a name belongs to; undefined for names that are none of ours. */
  groupOf(name: string): string | undefined;
}

/** Writes sets of files into one directory. */
export interface Publisher {
  /**
   * Replaces all files of a group; names that the group had before and has no more are removed. Either everything is
   * replaced or, with an ERR_HELPER_WRITE, nothing: with `files` as far as a file system without transactions can.
   */
  publish(group: string, files: FileSet): Promise<void>;
}

/** Calls are taken one after the other, whatever group they are of. */
export function createPublisher(options: PublisherOptions): Publisher {
  const publisher =
    options.how === "directory" ? createDirectoryPublisher(options) : createPlainPublisher(options);
  let tail: Promise<unknown> = Promise.resolve();
  return {
    async publish(group, files) {
      const inside = new Map([...files].map(([name, file]) => [checkedName(name), file]));
      const run = tail.then(() => publisher.publish(group, inside));
      tail = run.catch(() => undefined);
      await run;
    },
  };
}

function checkedName(name: string): string {
  const inside = insideName(name);
  if (inside !== undefined) return inside;
  throw new HelperError("ERR_HELPER_WRITE", `${JSON.stringify(name)} names no file inside cert_dir`);
}
