import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type DaemonError, failure } from "@newleaf/daemon";
import { authorityFiles } from "./authority-directory.ts";
import { writeDurably } from "./durable-file.ts";
import { layoutOf, publishFiles } from "./publish-files.ts";

/** What became of the copies of a revocation list; the list itself is signed and stays where it is. */
export interface HandedOut {
  readonly copies: readonly string[];
  /** To be thrown once the rest has been reported. */
  readonly failed: DaemonError | undefined;
}

/** Refuses targets that cannot be written to, before anything is revoked. */
export async function checkCopies(targets: readonly string[]): Promise<void> {
  for (const target of targets) {
    const directory = (await isDirectory(target)) ? target : dirname(resolve(target));
    await access(directory, constants.W_OK | constants.X_OK).catch((cause: NodeJS.ErrnoException) => {
      const why = cause.code === "ENOENT" ? "does not exist" : `cannot be written to (${cause.code})`;
      throw failure(`${directory} ${why}, so --copy-to ${target} would fail; nothing was changed`, {
        hint: "create the directory, or name another",
        cause,
      });
    });
  }
}

/** Writes the list to each target: a file, or a directory that gets it as crl.pem. */
export async function handOutCrl(
  pem: string,
  targets: readonly string[],
  authority: string,
): Promise<HandedOut> {
  const copies: string[] = [];
  const problems: string[] = [];
  let cause: unknown;
  for (const target of targets) {
    try {
      await copy(pem, target);
      copies.push(target);
    } catch (error) {
      cause = error;
      problems.push(`${target}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
    }
  }
  if (problems.length === 0) return { copies, failed: undefined };
  const list = join(authority, authorityFiles.crl);
  const failed = failure(`not copied to ${problems.join(", ")}; what was revoked stays so, see ${list}`, {
    hint: `copy ${list} by hand, or with newleaf ca crl --ca ${authority} --copy-to <path>`,
    cause,
  });
  return { copies, failed };
}

async function copy(pem: string, target: string): Promise<void> {
  if (!(await isDirectory(target))) {
    await writeDurably(target, pem, 0o644);
  } else if ((await layoutOf(target)) === "atomic") {
    await publishFiles(target, { [authorityFiles.crl]: { content: pem } }, "atomic");
  } else {
    await writeDurably(join(target, authorityFiles.crl), pem, 0o644);
  }
}

function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
