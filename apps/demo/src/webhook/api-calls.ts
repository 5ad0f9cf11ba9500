import type { KubernetesApi } from "@newleaf/testing";
import { NAME, NAMESPACE } from "./cluster-objects.ts";
import { LEASES } from "./stored.ts";

/** What replicas asked of the API server while another one led. */
export interface FollowerCalls {
  readonly watches: number;
  /** Pods told what is waited for, and what is loaded. */
  readonly podPatches: number;
  /** The Lease of the election, which is another one. */
  readonly election: number;
  /** Whatever is read without a watch, after the start. */
  readonly polls: number;
  /** Whatever else is written. */
  readonly writes: number;
  /** At the start: what there is, and what RBAC allows. */
  readonly atStart: number;
}

export interface ApiCalls extends Disposable {
  followers(): FollowerCalls;
  /** What RBAC has forbidden to the webhook's account. */
  forbidden(): readonly string[];
}

type Entry = KubernetesApi["audit"]["entries"][number];

const ACCOUNT = `system:serviceaccount:${NAMESPACE}:${NAME}`;
const AGENT = /^newleaf-webhook\/demo-(.+)$/;
/** Well before the log forgets what it was not asked for. */
const EVERY_MS = 1_000;

/** Counts from the audit log, in which replicas are told apart by what they say of themselves. */
export function countApiCalls({ audit, store }: KubernetesApi): ApiCalls {
  const counts = { watches: 0, podPatches: 0, election: 0, polls: 0, writes: 0, atStart: 0 };
  const listed = new Set<string>();
  const forbidden = new Set<string>();
  let [counted, leader] = [0, ""];

  const take = (entry: Entry): void => {
    const replica = AGENT.exec(entry.userAgent)?.[1];
    if (entry.user !== ACCOUNT || replica === undefined) return;
    if (entry.code === 403) forbidden.add(`${entry.verb} ${entry.resource} ${entry.name ?? ""}`.trim());
    if (replica === leader) return;
    const kind = kindOf(entry);
    const first = `${replica} ${entry.resource}`;
    if (kind !== "polls" || listed.has(first)) counts[kind] += 1;
    else {
      listed.add(first);
      counts.atStart += 1;
    }
  };
  const catchUp = (): void => {
    const { entries, count } = audit;
    for (const entry of entries.slice(Math.max(0, entries.length - (count - counted)))) take(entry);
    counted = count;
  };
  const unsubscribe = store.table.subscribe(LEASES, ({ object }) => {
    if (object.metadata.name !== `${NAME}-leader`) return;
    const holder = String(object.spec?.holderIdentity ?? "");
    if (holder === leader) return;
    catchUp();
    leader = holder;
  });
  const timer = setInterval(catchUp, EVERY_MS).unref();
  return {
    followers() {
      catchUp();
      return { ...counts };
    },
    forbidden() {
      catchUp();
      return [...forbidden];
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      unsubscribe();
    },
  };
}

function kindOf({ verb, resource, name }: Entry): keyof FollowerCalls {
  if (verb === "watch") return "watches";
  // RBAC cannot tell the name of what is created, nor can the log: it is the election's Lease that all create.
  if (resource === "leases" && (name === `${NAME}-leader` || verb === "create")) return "election";
  if (resource === "pods" && verb === "patch") return "podPatches";
  if (resource === "selfsubjectaccessreviews") return "atStart";
  return verb === "get" || verb === "list" ? "polls" : "writes";
}
