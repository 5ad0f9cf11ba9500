import { open } from "node:fs/promises";
import { KubeError } from "../error.ts";

/** A text file up to a size; rejects with ERR_KUBE_CONFIG beyond it, and with Node's error when it cannot be read. */
export async function readBounded(path: string, maxBytes: number): Promise<string> {
  await using handle = await open(path);
  const chunks: Buffer[] = [];
  let length = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(CHUNK) });
    if (bytesRead === 0) return Buffer.concat(chunks, length).toString();
    length += bytesRead;
    if (length > maxBytes) throw new KubeError("ERR_KUBE_CONFIG", `${path} has more than ${maxBytes} octets`);
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

const CHUNK = 64 * 1024;
