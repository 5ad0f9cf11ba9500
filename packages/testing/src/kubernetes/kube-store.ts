import { checkDeletion, type DeleteRequest, deletionFinalizers, deletionGrace } from "./deletion.ts";
import { equalJson, isJsonObject, type Json, type JsonObject } from "./json.ts";
import { type ListPage, type ListRequest, listObjects } from "./kube-list.ts";
import { formatTime, type KubeObject, keyOf } from "./kube-object.ts";
import { type WatchItem, type WatchRequest, watchObjects } from "./kube-watch.ts";
import { newUid } from "./new-uid.ts";
import { createObjectTable, type ObjectTable } from "./object-table.ts";
import type { ResourceRow } from "./resource-table.ts";
import { createRowIndex, type RowIndex } from "./row-index.ts";
import { settleWrite } from "./settle.ts";
import { notFound, staleWrite } from "./status-error.ts";
import { checkNamespace, planCreate, planUpdate, type WritePlan, type WriteTarget } from "./write-plan.ts";

export interface KubeStoreOptions {
  readonly clock: StoreClock;
  /** In [0, 1); uids and generated names are made of it. */
  readonly random: () => number;
  /** Changes that watches can go back to; 10,000 by default. */
  readonly historyLimit?: number;
}

export interface StoreClock {
  now(): number;
  setTimeout(callback: () => void, ms: number): { cancel(): void };
}

/**
 * The objects of an API server and what it makes of writes, synchronous and without I/O. Objects go in and come out
 * in the stored form and are frozen. Throws StatusError for what an API server would refuse.
 *
 * Resources are named as kubectl names them: `secrets`, `deployments.apps`.
 */
export interface KubeStore {
  readonly resourceVersion: string;
  readonly rows: RowIndex;
  readonly table: ObjectTable;
  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined;
  list(resource: string, request?: ListRequest): ListPage;
  create(resource: string, object: JsonObject): KubeObject;
  /** Replaces; with a resourceVersion only if nothing changed since. */
  update(resource: string, object: KubeObject, subresource?: "status"): KubeObject;
  /** Makes the new object of the current one. */
  change(
    resource: string,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => JsonObject,
    subresource?: "status",
  ): KubeObject;
  delete(resource: string, namespace: string | undefined, name: string, request?: DeleteRequest): KubeObject;
  watch(resource: string, request: WatchRequest, deliver: (item: WatchItem) => void): { stop(): void };
  planCreate(target: Omit<WriteTarget, "name">, body: JsonObject): WritePlan;
  planUpdate(target: WriteTarget, change: (current: KubeObject) => JsonObject): WritePlan;
  settle(plan: WritePlan, admitted: KubeObject): KubeObject;
  /** Stores what was settled; Conflict when it changed since it was planned. Unchanged objects keep their version. */
  commit(plan: WritePlan, settled: KubeObject): KubeObject;
  /** The object as it was, or as it is while finalizers or a grace period hold it. */
  remove(row: ResourceRow, namespace: string | undefined, name: string, request?: DeleteRequest): Removal;
  /** Ends what waits for grace periods. */
  close(): void;
}

interface Removal {
  readonly object: KubeObject;
  readonly gone: boolean;
}

/** An empty store, except for the namespaces that every cluster has. */
export function createKubeStore(options: KubeStoreOptions): KubeStore {
  const { clock, random } = options;
  const table = createObjectTable({ historyLimit: options.historyLimit ?? 10_000 });
  const rows = createRowIndex(table);
  const context = { table, random, now: () => clock.now(), newUid: () => newUid(random) };
  const graces = new Map<string, { cancel(): void }>();
  const rowOf = (resource: string): ResourceRow => rows.byName(resource);

  const purge = (row: ResourceRow, object: KubeObject): KubeObject => {
    const key = keyOf(object.metadata.namespace, object.metadata.name ?? "");
    const grace = `${row.storage}/${key}`;
    graces.get(grace)?.cancel();
    graces.delete(grace);
    const removed = table.remove(row.storage, key) ?? object;
    const { namespace } = removed.metadata;
    if (namespace !== undefined) finishNamespace(namespace);
    return removed;
  };
  const finishNamespace = (name: string): void => {
    const namespace = table.get("namespaces", name);
    if (!namespace?.metadata.deletionTimestamp || namespace.metadata.finalizers?.length) return;
    const left = rows
      .namespacedStorages()
      .some((storage) => table.entries(storage)?.some(([key]) => key.startsWith(`${name}/`)));
    if (!left) purge(rowOf("namespaces"), namespace);
  };
  const emptyNamespace = (name: string): void => {
    for (const storage of rows.namespacedStorages()) {
      const row = rows.byStorage(storage);
      for (const [key, object] of table.entries(storage) ?? []) {
        if (key.startsWith(`${name}/`))
          self.remove(row, name, object.metadata.name ?? "", { gracePeriodSeconds: 0 });
      }
    }
    finishNamespace(name);
  };

  const self: KubeStore = {
    get resourceVersion() {
      return String(table.resourceVersion);
    },
    rows,
    table,
    get: (resource, namespace, name) => table.get(rowOf(resource).storage, keyOf(namespace, name)),
    list: (resource, request = {}) => listObjects(table, rowOf(resource), request),
    create(resource, object) {
      const row = rowOf(resource);
      const metadata = isJsonObject(object.metadata) ? object.metadata : {};
      const namespace = row.namespaced ? String(metadata.namespace ?? "default") : undefined;
      const plan = self.planCreate({ row, namespace }, object);
      return self.commit(plan, self.settle(plan, plan.draft));
    },
    update: (resource, object, subresource) =>
      self.change(resource, object.metadata.namespace, object.metadata.name ?? "", () => object, subresource),
    change(resource, namespace, name, change, subresource) {
      const plan = self.planUpdate({ row: rowOf(resource), namespace, name, subresource }, change);
      return self.commit(plan, self.settle(plan, plan.draft));
    },
    delete: (resource, namespace, name, request) =>
      self.remove(rowOf(resource), namespace, name, request).object,
    watch: (resource, request, deliver) => watchObjects(table, rowOf(resource), request, deliver),
    planCreate: (target, body) => planCreate(context, target, body),
    planUpdate: (target, change) => planUpdate(context, target, change),
    settle: (plan, admitted) => settleWrite(context, plan, admitted),
    commit(plan, settled) {
      const { row, namespace, name, old } = plan;
      const current = table.get(row.storage, keyOf(namespace, name));
      if (current !== old) throw staleWrite(row, name);
      if (!old) {
        checkNamespace(table, row, namespace, name);
        return table.put(row.storage, settled);
      }
      if (sameAsStored(settled, old)) return old;
      const { deletionTimestamp, deletionGracePeriodSeconds: grace, finalizers } = settled.metadata;
      if (!deletionTimestamp || grace || finalizers?.length) return table.put(row.storage, settled);
      // The last finalizer is gone: this is not stored, it goes.
      purge(row, old);
      return settled;
    },
    remove(row, namespace, name, request = {}) {
      const key = keyOf(namespace, name);
      const current = table.get(row.storage, key);
      if (!current) throw notFound(row, name);
      checkDeletion(row, current, request);
      const grace = deletionGrace(row, current, request);
      const finalizers = deletionFinalizers(current, request);
      const held = grace > 0 || finalizers.length > 0 || row.storage === "namespaces";
      if (!held) return { object: purge(row, current), gone: true };
      const { metadata } = current;
      if (metadata.deletionTimestamp && (metadata.deletionGracePeriodSeconds ?? 0) <= grace) {
        return { object: current, gone: false };
      }
      const stored = table.put(row.storage, {
        ...current,
        metadata: {
          ...metadata,
          deletionTimestamp: formatTime(clock.now() + grace * 1000),
          deletionGracePeriodSeconds: grace,
          ...(finalizers.length > 0 ? { finalizers: [...finalizers] } : {}),
          ...(row.generation ? { generation: (metadata.generation ?? 0) + 1 } : {}),
        },
        ...(row.storage === "namespaces" ? { status: { phase: "Terminating" } } : {}),
      });
      if (row.storage === "namespaces") emptyNamespace(name);
      else if (grace > 0) {
        graces.get(`${row.storage}/${key}`)?.cancel();
        const end = clock.setTimeout(() => {
          const left = table.get(row.storage, key);
          if (left?.metadata.uid === metadata.uid && left)
            self.remove(row, namespace, name, { gracePeriodSeconds: 0 });
        }, grace * 1000);
        graces.set(`${row.storage}/${key}`, end);
      }
      return { object: stored, gone: table.get(row.storage, key) === undefined };
    },
    close() {
      for (const grace of graces.values()) grace.cancel();
      graces.clear();
    },
  };
  for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"]) {
    self.create("namespaces", { metadata: { name } });
  }
  return self;
}

/** Whether a write would change nothing; the version of an object is not part of it. */
function sameAsStored(a: KubeObject, b: KubeObject): boolean {
  const bare = ({ metadata: { resourceVersion, ...metadata }, ...rest }: KubeObject): Json => ({
    ...rest,
    metadata,
  });
  return equalJson(bare(a), bare(b));
}
