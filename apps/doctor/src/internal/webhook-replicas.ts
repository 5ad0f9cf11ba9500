import { parseDuration } from "@newleaf/daemon";
import type { Lease, Pod } from "@newleaf/kube";
import type { AnnotationNames } from "@newleaf/webhook";
import type { ReplicaFacts } from "../webhook-facts.ts";
import { dateOf } from "./webhook-objects.ts";

/** Of a replica that does not say otherwise. */
const CERT_TIMEOUT_MS = 180_000;

export interface ReplicasOf {
  /** Of the serving Secret. */
  readonly name: string;
  readonly names: AnnotationNames;
  /** The replicas' own Leases. */
  readonly leases: readonly Lease[];
  readonly nodeReady: ReadonlyMap<string, boolean>;
}

export function replicaFacts(pod: Pod, of: ReplicasOf): ReplicaFacts {
  const { metadata = {}, spec, status = {} } = pod;
  const { name = "" } = metadata;
  const said = saidBy(pod, of);
  const containers = status.containerStatuses ?? [];
  const exited = containers.map(({ lastState, state }) => state?.terminated ?? lastState?.terminated);
  const exit = exited.find((one) => one !== undefined);
  const argv = argumentsOf(pod);
  const option = (option: string): string | undefined => optionIn(argv, option);
  const role = argv[argv.indexOf("webhook-certs") + 1];
  const acknowledge = option("acknowledge");
  return {
    name,
    node: spec?.nodeName,
    nodeReady: of.nodeReady.get(spec?.nodeName ?? ""),
    phase: status.phase ?? "Unknown",
    ready: (status.conditions ?? []).some((it) => it.type === "Ready" && it.status === "True"),
    leaving: metadata.deletionTimestamp !== undefined,
    startedAt: dateOf(containers[0]?.state?.running?.startedAt ?? status.startTime),
    address: status.podIP,
    account: spec?.serviceAccountName ?? "default",
    waiting: containers.flatMap(({ state }) => state?.waiting?.reason ?? [])[0],
    lastExit: exit && {
      code: exit.exitCode,
      at: dateOf(exit.finishedAt),
      ranMs: between(dateOf(exit.startedAt), dateOf(exit.finishedAt)),
    },
    restarts: Math.max(0, ...containers.map(({ restartCount }) => restartCount ?? 0)),
    mount: mountOf(pod, of.name),
    leads: role !== "follower",
    follows: role !== "leader",
    fromSecret: option("from-secret") !== undefined,
    acknowledge: acknowledge === "lease" || acknowledge === "none" ? acknowledge : "pod",
    certTimeoutMs: durationOf(option("cert-timeout")) ?? CERT_TIMEOUT_MS,
    certHash: said[of.names.acknowledgedCertHash],
    caHash: said[of.names.acknowledgedCaHash],
    expectedHash: said[of.names.expectedCertHash],
    syncAttempts: Number(said[of.names.syncAttempt] ?? 0) || 0,
  };
}

function saidBy({ metadata }: Pod, { leases, names, name }: ReplicasOf): Readonly<Record<string, string>> {
  const own = leases.find(
    (lease) =>
      lease.spec?.holderIdentity === metadata?.name && lease.metadata?.labels?.[names.replicaOf] === name,
  );
  return { ...metadata?.annotations, ...own?.metadata?.annotations };
}

function mountOf({ spec }: Pod, secret: string): ReplicaFacts["mount"] {
  const volumes = new Set(
    (spec?.volumes ?? []).flatMap((volume) => {
      const projected = volume.projected?.sources?.some((source) => source.secret?.name === secret) === true;
      return volume.secret?.secretName === secret || projected ? [volume.name] : [];
    }),
  );
  const mounts = (spec?.containers ?? []).flatMap(({ volumeMounts = [] }) =>
    volumeMounts.filter(({ name }) => volumes.has(name)),
  );
  if (mounts.length === 0) return "none";
  return mounts.some(({ subPath, subPathExpr }) => !subPath && !subPathExpr) ? "whole" : "subPath";
}

/** Of all containers, one after the other. */
function argumentsOf({ spec }: Pod): readonly string[] {
  return (spec?.containers ?? []).flatMap(({ command = [], args = [] }) => [...command, ...args]);
}

/** Of `--name=value` or `--name value`; "" for a flag without a value. */
function optionIn(argv: readonly string[], name: string): string | undefined {
  const at = argv.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  const word = argv[at];
  if (word === undefined) return undefined;
  const equals = word.indexOf("=");
  if (equals > 0) return word.slice(equals + 1);
  const next = argv[at + 1] ?? "";
  return next.startsWith("-") ? "" : next;
}

function durationOf(text: string | undefined): number | undefined {
  try {
    return text === undefined ? undefined : parseDuration(text);
  } catch {
    return undefined;
  }
}

function between(from: Date | undefined, to: Date | undefined): number | undefined {
  return from && to ? to.getTime() - from.getTime() : undefined;
}
