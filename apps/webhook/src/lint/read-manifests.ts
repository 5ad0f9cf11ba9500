import { isUtf8 } from "node:buffer";
import { constants, type Dirent } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import type { InputProblem } from "./input-problem.ts";

/** A file of manifests as text, or why it could not be had. */
export type ManifestFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly problem: InputProblem };

export interface ManifestFiles {
  readonly files: readonly ManifestFile[];
  /** Folders of Helm templates that were found on the way: what is in them is no YAML until it is rendered. */
  readonly templates: readonly string[];
}

/** Of one file or of standard input; the output of the largest charts, CRDs included, is below it. */
const maxBytes = 32 * 1024 * 1024;
const maxFiles = 10_000;
const maxDepth = 32;
const extensions: ReadonlySet<string> = new Set([".yaml", ".yml", ".json"]);

/** Reads files, the YAML and JSON files below directories, and `-`. What cannot be read is a problem beside the rest. */
export async function readManifests(
  paths: readonly string[],
  stdin: AsyncIterable<Buffer | string>,
  signal: AbortSignal,
): Promise<ManifestFiles> {
  const files: ManifestFile[] = [];
  const templates: string[] = [];
  for (const path of paths) {
    if (path === "-") files.push(await readStandardInput(stdin));
    else if (await isDirectory(path)) {
      const walk: Walk = { found: [], unreadable: [], templates, signal };
      await findFiles(path, 0, walk);
      for (const file of walk.found) files.push(await readFile(file));
      for (const problem of walk.unreadable) files.push({ path: problem.file, problem });
      if (walk.found.length >= maxFiles) {
        files.push(refused(path, `has more than ${maxFiles} files; name fewer`));
      }
    } else files.push(await readFile(path));
    signal.throwIfAborted();
  }
  return { files, templates };
}

interface Walk {
  readonly found: string[];
  /** Directories that could not be listed; the others are. */
  readonly unreadable: InputProblem[];
  readonly templates: string[];
  readonly signal: AbortSignal;
}

/** In the order of names; links to directories are not followed, what starts with a dot, pipes and devices are left out. */
async function findFiles(directory: string, depth: number, walk: Walk): Promise<void> {
  walk.signal.throwIfAborted();
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
    walk.unreadable.push(unreadable(directory, cause));
    return [];
  });
  const isChart = entries.some(({ name }) => name === "Chart.yaml");
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (walk.found.length >= maxFiles || entry.name.startsWith(".") || entry.name === "node_modules")
      continue;
    if (entry.isDirectory()) {
      if (isChart && entry.name === "templates") walk.templates.push(path);
      else if (depth < maxDepth) await findFiles(path, depth + 1, walk);
    } else if (extensions.has(extname(entry.name).toLowerCase()) && (await isFile(entry, path))) {
      walk.found.push(path);
    }
  }
}

/** A link that leads nowhere counts too, to be named as what cannot be read. */
async function isFile(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  return stat(path).then(
    (stats) => stats.isFile(),
    () => true,
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

async function readFile(path: string): Promise<ManifestFile> {
  try {
    // Opening a pipe would wait for its other end; what `<(helm template …)` names is one, and has it.
    const isPipe = (await stat(path)).isFIFO();
    await using file = await open(
      path,
      isPipe ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK,
    );
    return await readAll(path, streamOf(file));
  } catch (cause) {
    return { path, problem: unreadable(path, cause) };
  }
}

function streamOf(file: FileHandle): AsyncIterable<Buffer | string> {
  return file.createReadStream({ autoClose: false });
}

async function readStandardInput(stdin: AsyncIterable<Buffer | string>): Promise<ManifestFile> {
  return readAll("-", stdin);
}

async function readAll(path: string, stream: AsyncIterable<Buffer | string>): Promise<ManifestFile> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes) return refused(path, `is larger than ${maxBytes} bytes`);
    chunks.push(bytes);
  }
  const octets = Buffer.concat(chunks);
  // Windows PowerShell's `>` writes UTF-16, of which no YAML would be left.
  if (!isUtf8(octets)) return refused(path, "is not UTF-8");
  return { path, text: octets.toString("utf8") };
}

function refused(path: string, why: string): ManifestFile {
  return { path, problem: { file: path, message: `${path === "-" ? "standard input" : path} ${why}` } };
}

function unreadable(path: string, cause: unknown): InputProblem {
  const code = (cause as NodeJS.ErrnoException).code ?? "";
  const why =
    { ENOENT: "does not exist", EACCES: "may not be read by this user", EISDIR: "is a directory" }[code] ??
    `cannot be read: ${code}`;
  return { file: path, message: `${path} ${why}` };
}
