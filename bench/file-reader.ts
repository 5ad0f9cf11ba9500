import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startConversation } from "./conversation.ts";
import type { ReaderMessage, ReaderTotals } from "./servers/credential-reader.ts";

/** A process that looks at a folder every millisecond. */
export interface FileReader extends AsyncDisposable {
  /** When it found the whole set of this certificate, on the machine's monotonic clock. */
  whenComplete(serialNumber: string | undefined): Promise<number>;
  /** Ends it. */
  totals(): Promise<ReaderTotals>;
}

/** Resolves once it looks; the folder may be empty. */
export async function startFileReader(directory: string): Promise<FileReader> {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const script = join(import.meta.dirname, "servers/credential-reader.ts");
  const conversation = await startConversation({
    program: process.execPath,
    args: ["--import", tsx, script, directory],
  });
  const next = async (): Promise<ReaderMessage> => (await conversation.next()) as ReaderMessage;
  await next();
  return {
    async whenComplete(serialNumber) {
      for (;;) {
        const message = await next();
        if ("complete" in message && sameSerial(message.complete, serialNumber)) return message.atNs;
      }
    },
    async totals() {
      conversation.say({});
      for (;;) {
        const message = await next();
        if ("totals" in message) return message.totals;
      }
    },
    [Symbol.asyncDispose]: () => conversation[Symbol.asyncDispose](),
  };
}

/** One of them may have a leading zero that the other lacks. */
export function sameSerial(a: string, b: string | undefined): boolean {
  return b !== undefined && BigInt(`0x${a}`) === BigInt(`0x${b}`);
}
