import { KubeError } from "../error.ts";
import type { KubeResponse } from "../transport.ts";
import type { RequestScope } from "./request-scope.ts";
import { WholeAnswer } from "./whole-answer.ts";

/** An answer of which the status is known and the body is still to come. `scope.abort()` ends it. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: KubeResponse["headers"];
  readonly body: AsyncIterator<Uint8Array>;
  readonly scope: RequestScope;
  /** Method and URL, for messages. */
  readonly what: string;
}

/** All of it; ERR_KUBE_PROTOCOL beyond the limit. Does not end the scope. */
export async function readBody(answer: OpenAnswer, maxBytes: number): Promise<WholeAnswer> {
  const { status, headers, body, scope, what } = answer;
  const chunks: Uint8Array[] = [];
  let length = 0;
  const read = async (): Promise<void> => {
    for (let step = await body.next(); !step.done; step = await body.next()) {
      length += step.value.length;
      if (length > maxBytes) {
        leave(body);
        throw new KubeError("ERR_KUBE_PROTOCOL", `${what}: the answer has more than ${maxBytes} octets`);
      }
      chunks.push(step.value);
    }
  };
  try {
    await scope.race(read());
  } catch (error) {
    leave(body);
    throw error;
  }
  return new WholeAnswer({ status, headers, octets: Buffer.concat(chunks, length), what });
}

/** Ends an answer that nobody reads any more; what that comes to is of no interest. */
export function leave(body: AsyncIterator<Uint8Array>): void {
  body.return?.().catch(() => {});
}
