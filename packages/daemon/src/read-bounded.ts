import { createReadStream } from "node:fs";
import { buffer } from "node:stream/consumers";

/** The limit where nothing else is said. */
const DEFAULT_MAX_BYTES = 1_048_576;

/**
 * A whole file, or undefined if it holds more than `maxBytes` octets (1 MiB). No more than that is ever read: pipes
 * and devices have no size to ask for, and some no end. Rejects with what the file system says.
 */
export async function readBounded(
  path: string,
  maxBytes: number = DEFAULT_MAX_BYTES,
): Promise<Buffer | undefined> {
  const octets = await buffer(createReadStream(path, { end: maxBytes }));
  return octets.length > maxBytes ? undefined : octets;
}
