import type { KubeList, KubeObject } from "../kube-object.ts";
import type { ListReader } from "./list-reader.ts";
import { leave, type OpenAnswer } from "./open-answer.ts";

/** A list that is decoded object by object while it arrives. Ends the answer's scope. */
export async function readListStream<T extends KubeObject>(
  { body, scope }: OpenAnswer,
  reader: ListReader<T>,
  onItem: (object: T) => void,
): Promise<KubeList<T>["metadata"]> {
  try {
    for (let step = await scope.race(body.next()); !step.done; step = await scope.race(body.next())) {
      reader.push(step.value, onItem);
    }
    return reader.end(onItem);
  } catch (error) {
    scope.abort(error);
    leave(body);
    throw error;
  } finally {
    scope.end();
  }
}
