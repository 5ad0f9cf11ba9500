import { KubeError } from "../error.ts";
import type { KubeList, KubeObject } from "../kube-object.ts";
import { leave, type OpenAnswer } from "./open-answer.ts";
import { readList } from "./read-list.ts";
import { createListItemSplitter } from "./split-list-items.ts";
import { WholeAnswer } from "./whole-answer.ts";

export interface ListStreamOptions<T extends KubeObject> {
  readonly apiVersion: string;
  readonly kind: string;
  /** The most bytes of one object. */
  readonly maxObjectBytes: number;
  readonly onItem: (object: T) => void;
}

/** A list that is decoded object by object while it arrives. Ends the answer's scope. */
export async function readListStream<T extends KubeObject>(
  answer: OpenAnswer,
  options: ListStreamOptions<T>,
): Promise<KubeList<T>["metadata"]> {
  const { apiVersion, kind, onItem } = options;
  const { status, headers, body, scope, what } = answer;
  const splitter = createListItemSplitter(options.maxObjectBytes);
  const decode = (json: Buffer): void => {
    const object = parse<T>(json, what);
    object.apiVersion ??= apiVersion;
    object.kind ??= kind;
    onItem(object);
  };
  try {
    for (let step = await scope.race(body.next()); !step.done; step = await scope.race(body.next())) {
      splitter.push(step.value, decode);
    }
    const rest = new WholeAnswer({ status, headers, octets: splitter.end(), what });
    const { items, metadata } = readList<T>(rest, { apiVersion, kind });
    // Empty, unless the name was written in a way that the splitter does not know.
    for (const item of items) onItem(item);
    return metadata;
  } catch (error) {
    scope.abort(error);
    leave(body);
    throw error;
  } finally {
    scope.end();
  }
}

function parse<T>(json: Buffer, what: string): T {
  try {
    return JSON.parse(json.toString()) as T;
  } catch {
    // The parser's own message quotes the object, which may be a Secret.
    throw new KubeError("ERR_KUBE_PROTOCOL", `${what}: a list with an object that is no JSON`);
  }
}
