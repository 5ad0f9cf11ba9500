import { constants } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { CaError } from "../error.ts";

/** Octets to look at and where they came from. */
export interface Input {
  /** As named by the user, or found in a directory so named; `-` is standard input. */
  readonly path: string;
  /** The directory whose files belong together, undefined for a file that was named itself. */
  readonly directory: string | undefined;
  readonly bytes: Uint8Array;
  /** Permission bits; undefined for standard input. */
  readonly mode: number | undefined;
}

const maxBytes = 64 * 1024 * 1024;
const maxFiles = 256;

/** Reads files, the files of directories, and `-`. A file that cannot be read is an error. */
export async function readInputs(
  paths: readonly string[],
  stdin: AsyncIterable<Buffer | string>,
): Promise<readonly Input[]> {
  const inputs: Input[] = [];
  for (const path of paths) {
    if (path === "-")
      inputs.push({ path, directory: undefined, bytes: await readStream(stdin), mode: undefined });
    else if ((await statOf(path)).isDirectory()) inputs.push(...(await readDirectory(path)));
    else inputs.push(await readFile(path, undefined));
  }
  return inputs;
}

/** The files of a directory, links followed, what starts with a dot and directories left out. */
async function readDirectory(directory: string): Promise<readonly Input[]> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith(".")).sort();
  if (names.length > maxFiles) {
    throw new CaError("ERR_CA_TOO_LARGE", `${directory} has more than ${maxFiles} files`, {
      hint: "name files",
    });
  }
  const inputs: Input[] = [];
  for (const name of names) {
    const path = join(directory, name);
    if ((await statOf(path)).isFile()) inputs.push(await readFile(path, directory));
  }
  return inputs;
}

async function readFile(path: string, directory: string | undefined): Promise<Input> {
  // Opening a pipe would wait for its other end.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      throw unreadable(path, cause);
    },
  );
  try {
    const stats = await file.stat();
    const { size, mode } = stats;
    if (!stats.isFile()) {
      throw new CaError("ERR_CA_NOT_FOUND", `${path} is not a regular file`, {
        hint: "standard input is read with -",
      });
    }
    if (size > maxBytes) throw new CaError("ERR_CA_TOO_LARGE", `${path} is larger than ${maxBytes} bytes`);
    return { path, directory, bytes: await file.readFile(), mode: mode & 0o777 };
  } finally {
    await file.close();
  }
}

async function readStream(stream: AsyncIterable<Buffer | string>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes)
      throw new CaError("ERR_CA_TOO_LARGE", `standard input is larger than ${maxBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

async function statOf(path: string): ReturnType<typeof stat> {
  return stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(path, cause);
  });
}

function unreadable(path: string, cause: NodeJS.ErrnoException): CaError {
  const why =
    { ENOENT: "does not exist", EACCES: "may not be read by this user" }[cause.code ?? ""] ?? cause.code;
  return new CaError("ERR_CA_NOT_FOUND", `${path} ${why}`, { cause });
}
