import type { KubernetesApi } from "@newleaf/testing";
import { annotationNames } from "../../src/annotations.ts";
import { bundleOf, TARGET_STORAGES } from "./admission-callers.ts";
import { NAME, NAMESPACE } from "./plan.ts";
import type { Sender } from "./simulated-network.ts";

const NAMES = annotationNames();

export interface GuardedWritesOptions {
  readonly api: KubernetesApi;
  /** Who is writing; undefined for what is done by hand. */
  readonly writer: () => Sender | undefined;
  /** The trust that the CA Secret says now, as a caBundle. */
  readonly currentBundle: () => string;
  /** Whether the holder of the election Lease may not know that somebody took it away. */
  readonly electionDisturbed: () => boolean;
  readonly onViolation: (what: string) => void;
}

/** What a leader writes, by what was asked of the API server. */
export interface GuardedWrites {
  /** To be told of each request when it is sent. */
  onSend(sender: Sender): void;
  readonly late: number;
}

/**
 * No two leaders write. Three things are checked, because no single one is enough:
 *
 * 1. When a leader sends a write, it holds the election Lease by the server's record (by identity). Whether the write
 *    then arrives in time is not in its hands, so what arrives is judged by the other two.
 * 2. CA Secret, serving Secret and serving Lease carry the token of whoever wrote last. A token that was replaced never
 *    comes back: a write of a deposed leader is not applied to an object once its successor has fenced it. Leaders act
 *    only when all three are theirs, so of two of them only one can get anything done.
 * 3. caBundles carry no token. Whatever a leader's late patch puts there is the trust of this moment, or the patch has
 *    failed on its resourceVersion: it is the write of the leader that holds, made a little earlier.
 */
export function watchGuardedWrites(options: GuardedWritesOptions): GuardedWrites {
  const { api, writer, onViolation } = options;
  const tokens = new Map<string, { readonly token: string; readonly replaced: Set<string> }>();
  let late = 0;

  const holder = (): string | undefined => {
    const lease = api.store.get("leases.coordination.k8s.io", NAMESPACE, `${NAME}-leader`);
    return lease?.spec?.holderIdentity as string | undefined;
  };
  for (const [storage, names] of [
    ["secrets", [NAME, `${NAME}-ca`]],
    ["leases.coordination.k8s.io", [NAME]],
  ] as const) {
    api.store.table.subscribe(storage, ({ type, object, old }) => {
      const sender = writer();
      const { name = "", annotations = {} } = object.metadata;
      if (!sender || type === "DELETED" || !(names as readonly string[]).includes(name)) return;
      const token = annotations[NAMES.leader];
      if (token === undefined) return onViolation(`${sender.process.name} wrote ${name} without its token`);
      const key = `${storage}/${name}`;
      const known = tokens.get(key);
      if (known?.token === token) return;
      const replaced = known?.replaced ?? new Set<string>();
      // What nobody could see had to be created without a precondition, and whoever comes next fences it.
      if (replaced.has(token) && old) onViolation(`a write of ${token}, deposed, was applied to ${name}`);
      if (known) replaced.add(known.token);
      tokens.set(key, { token, replaced });
    });
  }
  for (const storage of TARGET_STORAGES) {
    api.store.table.subscribe(storage, ({ object }) => {
      const sender = writer();
      if (!sender) return;
      if (holder() !== sender.process.name) late += 1;
      const bundle = bundleOf(object);
      if (holder() !== sender.process.name && bundle !== options.currentBundle()) {
        const { name } = sender.process;
        onViolation(`a late write of ${name} put a trust of the past into ${object.kind}`);
      }
    });
  }

  return {
    get late() {
      return late;
    },
    onSend({ process, request }) {
      if (!isLeaderWrite(request) || options.electionDisturbed()) return;
      const held = holder();
      if (held !== process.name) {
        onViolation(`${process.name} sends ${request.method} ${request.path} while ${held} holds the Lease`);
      }
    },
  };
}

function isLeaderWrite({ method, path, body = "" }: Sender["request"]): boolean {
  if (method === "GET") return false;
  if (path.includes("/secrets") || path.includes("webhookconfigurations")) return true;
  if (method !== "POST") return new RegExp(`/leases/${NAME}(\\?|$)`).test(path);
  return path.includes("/leases") && body.includes(`"name":"${NAME}"`);
}
