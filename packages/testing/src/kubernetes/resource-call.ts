import type { KubeObject } from "./kube-object.ts";
import type { KubeStore, StoreClock } from "./kube-store.ts";
import type { WatchItem } from "./kube-watch.ts";
import type { Manager } from "./managed-fields.ts";
import type { RequestInfo } from "./request-info.ts";
import { apiVersionOf } from "./resource-name.ts";
import type { ResourceRow } from "./resource-table.ts";
import { badRequest, invalid } from "./status-error.ts";
import type { UserInfo } from "./user-info.ts";
import type { WritePlan } from "./write-plan.ts";

/** One request for a resource, authenticated and authorized. */
export interface ResourceCall {
  readonly info: RequestInfo;
  readonly row: ResourceRow;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  readonly user: UserInfo;
  /** For `Warning` headers of the answer. */
  readonly warnings: string[];
  /** What admission adds to the audit entry. */
  readonly annotations: Record<string, string>;
}

/** What the handlers of resources work with. */
export interface ResourceServer {
  readonly store: KubeStore;
  readonly clock: StoreClock;
  readonly random: () => number;
  readonly bookmarkMs: number;
  /** Whether `managedFields` are kept. */
  readonly managedFields: boolean;
  /** Carries a write through admission to the store; with `dryRun` it is not kept. */
  write(call: ResourceCall, plan: () => WritePlan, dryRun: boolean): Promise<KubeObject>;
  admitDelete(call: ResourceCall, object: KubeObject, dryRun: boolean): Promise<void>;
  /** Faults that change what a watch tells. */
  disturb(call: ResourceCall, item: WatchItem): readonly WatchItem[];
  /** An expired version is answered with the status itself and not in the stream. */
  expiredAsStatus(): boolean;
  /** Told of each open watch, so that all can be ended; what it returns, of its end. */
  opened(watch: { end(): void }): () => void;
}

export function isDryRun({ info }: ResourceCall): boolean {
  const value = info.query.get("dryRun");
  if (value === null) return false;
  if (value === "All") return true;
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: "All"`;
  throw invalid({ group: "meta.k8s.io", kind: "CreateOptions" }, "", [
    { reason: "FieldValueNotSupported", message, field: "dryRun" },
  ]);
}

/** Who writes, by the query or by what the User-Agent begins with. */
export function managerOf(call: ResourceCall, operation: Manager["operation"], now: number): Manager {
  const { info, headers, row } = call;
  const agent = headers["user-agent"]?.split("/", 1)[0] ?? "";
  return {
    name: info.query.get("fieldManager") || agent.slice(0, 128) || "unknown",
    operation,
    apiVersion: apiVersionOf(row),
    subresource: info.subresource,
    now,
  };
}

/** A whole number of the query; throws BadRequest for anything else. */
export function integerOf(value: string | null): number | undefined {
  if (value === null || value === "") return undefined;
  if (/^-?\d+$/.test(value)) return Number(value);
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
}
