import { access, chmod, constants, mkdtemp, readdir, readFile, readlink, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { createDirectory, linkDurably, syncDirectory, writeDurably, writeNew } from "./durable-file.ts";

/**
 * - `atomic`: the files are links into a directory that is swapped as a whole, as the kubelet does it; whoever
 *   watches sees certificate, key and trust change at one instant
 * - `plain`: ordinary files, each replaced in one step, the certificate last
 */
export type Layout = "atomic" | "plain";

/** One file to publish; keys get 0600. */
export interface PublishedFile {
  readonly content: string;
  readonly secret?: boolean;
}

/** Which layout a directory has now, undefined when it has neither. */
export async function layoutOf(directory: string): Promise<Layout | undefined> {
  if ((await readlink(join(directory, "..data")).catch(() => undefined)) !== undefined) return "atomic";
  const exists = await stat(join(directory, "tls.crt")).catch(() => undefined);
  return exists === undefined ? undefined : "plain";
}

/** Creates the directory, and fails where nothing could be published, before anything is remembered as issued. */
export async function prepareDirectory(directory: string): Promise<void> {
  await createDirectory(directory, 0o755);
  await access(directory, constants.W_OK | constants.X_OK);
}

/** Publishes files into a directory, creating it; other files there are kept. Order matters for `plain`. */
export async function publishFiles(
  directory: string,
  files: Readonly<Record<string, PublishedFile>>,
  layout: Layout,
): Promise<void> {
  await createDirectory(directory, 0o755);
  if (layout === "atomic") return publishAtomically(directory, files);
  for (const [name, file] of Object.entries(files)) {
    await writeDurably(join(directory, name), file.content, modeOf(file));
  }
}

async function publishAtomically(
  directory: string,
  files: Readonly<Record<string, PublishedFile>>,
): Promise<void> {
  const data = join(directory, "..data");
  const previous = await readlink(data).catch(() => undefined);
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-T:]/g, "_");
  const next = await mkdtemp(join(directory, `..${stamp}.`));
  await chmod(next, 0o755);
  const kept = previous === undefined ? {} : await readFiles(join(directory, previous));
  for (const [name, file] of Object.entries({ ...kept, ...files })) {
    await writeNew(join(next, name), file.content, modeOf(file));
  }
  await syncDirectory(next);
  await linkDurably(basename(next), data);
  for (const name of Object.keys(files)) await linkDurably(join("..data", name), join(directory, name));
  await syncDirectory(directory);
  if (previous !== undefined) await rm(join(directory, previous), { recursive: true, force: true });
}

async function readFiles(directory: string): Promise<Record<string, PublishedFile>> {
  const names = await readdir(directory).catch(() => []);
  const files = names.map(async (name) => {
    const path = join(directory, name);
    const [content, { mode }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    return [name, { content, secret: (mode & 0o077) === 0 }] as const;
  });
  return Object.fromEntries(await Promise.all(files));
}

function modeOf(file: PublishedFile): number {
  return file.secret === true ? 0o600 : 0o644;
}
