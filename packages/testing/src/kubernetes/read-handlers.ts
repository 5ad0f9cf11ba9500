import type { JsonObject } from "./json.ts";
import { listObjects } from "./kube-list.ts";
import { type KubeObject, keyOf } from "./kube-object.ts";
import { type WatchItem, watchObjects } from "./kube-watch.ts";
import type { Reply } from "./reply.ts";
import type { Representation } from "./representation.ts";
import { isTrue } from "./request-info.ts";
import { integerOf, type ResourceCall, type ResourceServer } from "./resource-call.ts";
import { scaleOf } from "./scale.ts";
import { parseSelection, type Selection } from "./selection.ts";
import { notFound } from "./status-error.ts";
import { createWatchStream } from "./watch-stream.ts";

export function getObject(server: ResourceServer, call: ResourceCall, show: Representation): Reply {
  const { row, info } = call;
  const { namespace, name = "" } = info;
  const object = server.store.table.get(row.storage, keyOf(row.namespaced ? namespace : undefined, name));
  if (!object) throw notFound(row, name);
  return { status: 200, body: shownAs(call, object, show) };
}

/** The object, or the Scale that is read of it. */
export function shownAs({ info }: ResourceCall, object: KubeObject, show: Representation): JsonObject {
  return info.subresource === "scale" ? scaleOf(object) : show.object(object);
}

export function listResource(server: ResourceServer, call: ResourceCall, show: Representation): Reply {
  const { query } = call.info;
  const page = listObjects(server.store.table, call.row, {
    ...selectionOf(call),
    resourceVersion: query.get("resourceVersion") ?? undefined,
    resourceVersionMatch: query.get("resourceVersionMatch") ?? undefined,
    limit: integerOf(query.get("limit")),
    continue: query.get("continue") ?? undefined,
  });
  const { resourceVersion, remainingItemCount } = page;
  const metadata: JsonObject = {
    resourceVersion,
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
  };
  return { status: 200, body: show.list(page.items, metadata) };
}

/** Between these, in seconds, a watch ends that did not say when. */
const DEFAULT_TIMEOUT_S = { from: 1800, to: 3600 };

export function watchResource(server: ResourceServer, call: ResourceCall, show: Representation): Reply {
  const { store, clock, random, bookmarkMs } = server;
  const { query } = call.info;
  const { from, to } = DEFAULT_TIMEOUT_S;
  const timeoutS = integerOf(query.get("timeoutSeconds")) || from + random() * (to - from);
  const bookmarks = isTrue(query.get("allowWatchBookmarks"));
  const initial = query.get("sendInitialEvents");
  const early: WatchItem[] = [];
  let deliver = (item: WatchItem): void => void early.push(item);

  const subscription = watchObjects(
    store.table,
    call.row,
    {
      ...selectionOf(call),
      resourceVersion: query.get("resourceVersion") ?? undefined,
      resourceVersionMatch: query.get("resourceVersionMatch") ?? undefined,
      sendInitialEvents: initial === null ? undefined : isTrue(initial),
      allowWatchBookmarks: bookmarks,
    },
    (item) => {
      for (const told of server.disturb(call, item)) deliver(told);
    },
  );
  const first = early[0];
  if (first?.type === "ERROR" && server.expiredAsStatus()) throw first.error;

  let forget = (): void => {};
  const watch = createWatchStream({
    clock,
    signal: call.signal,
    timeoutMs: timeoutS * 1000,
    bookmarkMs: bookmarks ? bookmarkMs : undefined,
    bookmark: () => ({ type: "BOOKMARK", resourceVersion: store.resourceVersion, initialEventsEnd: false }),
    encode: (item) => show.line(item),
    closed: () => {
      subscription.stop();
      forget();
    },
  });
  forget = server.opened(watch);
  deliver = watch.deliver;
  for (const item of early) watch.deliver(item);
  return { status: 200, body: watch.stream };
}

export function selectionOf({ info, row }: ResourceCall): Selection {
  return parseSelection(row, {
    namespace: row.namespaced ? info.namespace : undefined,
    labelSelector: info.query.get("labelSelector") ?? undefined,
    fieldSelector: info.query.get("fieldSelector") ?? undefined,
  });
}
