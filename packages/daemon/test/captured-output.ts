import { Writable } from "node:stream";
import type { Output } from "../src/command.ts";

/** A stream that keeps what is written to it. */
export function createOutput(tty = false): Output & { text(): string } {
  let text = "";
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return Object.assign(stream, { isTTY: tty, text: () => text });
}
