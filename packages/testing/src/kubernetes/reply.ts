import type { JsonObject } from "./json.ts";

/** What a handler answers: JSON, text, or a stream that goes on. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: JsonObject | string | AsyncIterableIterator<Uint8Array>;
}

export function isStream(body: Reply["body"]): body is AsyncIterableIterator<Uint8Array> {
  return typeof body !== "string" && Symbol.asyncIterator in body;
}

/** The whole body of a reply that is no stream, as one chunk. */
export async function* once(chunk: Uint8Array): AsyncIterableIterator<Uint8Array> {
  yield chunk;
}
