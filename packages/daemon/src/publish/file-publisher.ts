import { DaemonError } from "../error.ts";
import { createDirectoryPublisher } from "./directory-publisher.ts";
import type { FileSet } from "./file-set.ts";
import { insideName } from "./inside-name.ts";
import { createPlainPublisher } from "./plain-publisher.ts";
import type { Owner } from "./write-new-file.ts";

export interface FilePublisherOptions {
  readonly directory: string;
  readonly how: "directory" | "files";
  readonly owner: Owner | undefined;
  readonly words: PublisherWords;
  /** Which group a name belongs to; undefined for names that are none of ours. */
  groupOf(name: string): string | undefined;
}

/** How the user of a program knows what is written, for advice. */
export interface PublisherWords {
  /** The option that names the directory: `cert_dir`. */
  readonly directory: string;
  /** What asks for plain files: `publish = "files"`. */
  readonly plainFiles: string;
  /** The option that names the owner, where there is one. */
  readonly owner?: string;
}

/** Writes sets of files into one directory. */
export interface FilePublisher {
  /**
   * Replaces all files of a group; names that the group had before and has no more are removed. Either everything is
   * replaced or, with an ERR_DAEMON_WRITE, nothing: with `files` as far as a file system without transactions can.
   */
  publish(group: string, files: FileSet): Promise<void>;
}

/** Calls are taken one after the other, whatever group they are of. */
export function createFilePublisher(options: FilePublisherOptions): FilePublisher {
  const publisher: FilePublisher =
    options.how === "directory" ? createDirectoryPublisher(options) : createPlainPublisher(options);
  let tail: Promise<unknown> = Promise.resolve();
  return {
    async publish(group, files) {
      const inside = new Map([...files].map(([name, file]) => [checkedName(name, options.words), file]));
      const run = tail.then(() => publisher.publish(group, inside));
      tail = run.catch(() => undefined);
      await run;
    },
  };
}

function checkedName(name: string, { directory }: PublisherWords): string {
  const inside = insideName(name);
  if (inside !== undefined) return inside;
  throw new DaemonError("ERR_DAEMON_WRITE", `${JSON.stringify(name)} names no file inside ${directory}`);
}
