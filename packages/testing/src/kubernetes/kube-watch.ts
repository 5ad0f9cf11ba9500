import { checkNotFuture, listObjects, listOptionsInvalid, parseVersion, tooOld } from "./kube-list.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ObjectTable, StoreEvent } from "./object-table.ts";
import type { ResourceRow } from "./resource-table.ts";
import type { Selection } from "./selection.ts";
import { expired, type StatusError } from "./status-error.ts";

export interface WatchRequest extends Selection {
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
  readonly sendInitialEvents?: boolean | undefined;
  readonly allowWatchBookmarks?: boolean | undefined;
}

/** What a watch delivers, in order. */
export type WatchItem =
  | {
      readonly type: "ADDED" | "MODIFIED" | "DELETED";
      /** As stored. */
      readonly object: KubeObject;
      /** The change it tells of; undefined for what existed when the watch began. */
      readonly event: StoreEvent | undefined;
    }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string; readonly initialEventsEnd: boolean }
  | { readonly type: "ERROR"; readonly error: StatusError };

/**
 * Delivers what there is, in order, before it returns, and changes as they happen, until stopped. An expired version
 * is an ERROR item, as Kubernetes has it; requests that make no sense throw.
 */
export function watchObjects(
  table: ObjectTable,
  row: ResourceRow,
  request: WatchRequest,
  deliver: (item: WatchItem) => void,
): { stop(): void } {
  const { resourceVersion = "", resourceVersionMatch: match, sendInitialEvents } = request;
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    throw listOptionsInvalid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  if (match && sendInitialEvents === undefined) {
    throw listOptionsInvalid(
      "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
    );
  }
  const from = resourceVersion === "" ? 0 : parseVersion(resourceVersion, "watch");
  if (sendInitialEvents === true || (from === 0 && sendInitialEvents === undefined)) {
    if (sendInitialEvents) checkNotFuture(from, table.resourceVersion);
    for (const object of listObjects(table, row, { namespace: request.namespace, matches: request.matches })
      .items) {
      deliver({ type: "ADDED", object, event: undefined });
    }
    if (sendInitialEvents && request.allowWatchBookmarks) {
      deliver({ type: "BOOKMARK", resourceVersion: String(table.resourceVersion), initialEventsEnd: true });
    }
  } else if (from !== 0) {
    const missed = table.since(from);
    if (!missed) {
      deliver({ type: "ERROR", error: expired(tooOld(from, table.oldestVersion)) });
      return { stop: () => {} };
    }
    for (const event of missed) {
      if (event.storage === row.storage) deliverSelected(request, event, deliver);
    }
  }
  return {
    // A version ahead of ours hears nothing until we are past it.
    stop: table.subscribe(row.storage, (event) => {
      if (event.resourceVersion > from) deliverSelected(request, event, deliver);
    }),
  };
}

/** A change into the selection is ADDED, one out of it DELETED with the object as it is now. */
function deliverSelected(selection: Selection, event: StoreEvent, deliver: (item: WatchItem) => void): void {
  const { object, old } = event;
  if (selection.namespace !== undefined && object.metadata.namespace !== selection.namespace) return;
  const matches = selection.matches ?? (() => true);
  const before = old !== undefined && matches(old);
  const now = event.type !== "DELETED" && matches(object);
  if (before && now) deliver({ type: "MODIFIED", object, event });
  else if (now) deliver({ type: "ADDED", object, event });
  else if (before) deliver({ type: "DELETED", object: leftBehind(event), event });
}

/** Kubernetes shows an object that left a selection as it was while in it, at the version of the change. */
function leftBehind({ type, object, old }: StoreEvent): KubeObject {
  if (type === "DELETED" || !old) return object;
  return { ...old, metadata: { ...old.metadata, resourceVersion: object.metadata.resourceVersion ?? "" } };
}
