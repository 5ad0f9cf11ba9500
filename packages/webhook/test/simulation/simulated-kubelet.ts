import { Buffer } from "node:buffer";
import { createIdentityHolder, type IdentityHolder, type IdentityMaterial } from "@newleaf/rotation";
import type { KubernetesApi } from "@newleaf/testing";
import type { MountOptions, OpenMount } from "../../src/follower.ts";
import type { Random } from "./random.ts";
import type { Scheduled, Scheduler } from "./scheduler.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

export interface KubeletOptions {
  readonly api: KubernetesApi;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly namespace: string;
  readonly pod: string;
  readonly secret: string;
  /** Between syncs that nothing asks for. */
  readonly periodMs: number;
}

/** One Pod's Secret volume: what is written to it outlives the container, and the Pod reads nothing else. */
export interface SimulatedKubelet {
  /** For the process that runs in the Pod now. */
  mount(process: SimulatedProcess): OpenMount;
  /** Cannot reach the API server: nothing is synced. */
  cutOff: boolean;
  /** Time passes until the next sync at least. */
  readonly hasContent: boolean;
  stop(): void;
}

export function createSimulatedKubelet(options: KubeletOptions): SimulatedKubelet {
  const { api, scheduler, random, namespace, pod, secret, periodMs } = options;
  let content: IdentityMaterial | undefined;
  let version = "";
  let told: ((content: IdentityMaterial | undefined) => void) | undefined;
  let periodic: Scheduled | undefined;
  /** What the kubelet's cache may still hold. */
  const past: { readonly at: number; readonly data: Readonly<Record<string, string>> | undefined }[] = [];

  const remember = (): void => {
    const data = dataOf(api, namespace, secret);
    if (past.at(-1)?.data === data) return;
    past.push({ at: scheduler.now, data });
    if (past.length > 4) past.shift();
  };
  const sync = (): void => {
    if (kubelet.cutOff) return;
    remember();
    const behindMs = random.chance(0.1) ? random.between(0, 30_000) : 0;
    const seen = past.findLast(({ at }) => at <= scheduler.now - behindMs) ?? past.at(-1);
    const data = seen?.data;
    const found = JSON.stringify(data);
    if (found === version) return;
    version = found;
    content = data && {
      certificates: Buffer.from(data["tls.crt"] ?? "", "base64"),
      key: Buffer.from(data["tls.key"] ?? "", "base64"),
      trust: Buffer.from(data["ca.crt"] ?? "", "base64"),
    };
    told?.(content);
  };
  const later = (): void => {
    periodic = scheduler.after(periodMs * random.between(0.7, 1.4), () => {
      sync();
      later();
    });
  };
  const stopSecrets = api.store.table.subscribe("secrets", remember);
  const stopPods = api.store.table.subscribe("pods", ({ type, object, old }) => {
    if (object.metadata.name !== pod || type === "DELETED") return;
    const annotations = JSON.stringify(object.metadata.annotations);
    if (old && annotations === JSON.stringify(old.metadata.annotations)) return;
    scheduler.after(random.between(50, 1_500), sync);
  });

  const kubelet: SimulatedKubelet = {
    cutOff: false,
    get hasContent() {
      return content !== undefined;
    },
    mount: (process) => async (of) => {
      const holder = createIdentityHolder(withoutWaits(of));
      let offered: IdentityMaterial | undefined;
      const offer = (found: IdentityMaterial | undefined): void => {
        // What has not changed need not be parsed again: the holder keeps what it could not take yet.
        if (found && found === offered) return;
        offered = found;
        if (found) holder.offer(found);
        else holder.refuse("missing", "the volume is empty");
      };
      told = (found) => void process.deliver(random.between(0, 100), () => offer(found));
      return openHolder(holder, of, () => offer(content));
    },
    stop() {
      periodic?.cancel();
      stopSecrets();
      stopPods();
      told = undefined;
      kubelet.cutOff = true;
    },
  };
  sync();
  later();
  return kubelet;
}

function withoutWaits({
  signal,
  firstTimeoutMs,
  ...rest
}: MountOptions): Omit<MountOptions, "signal" | "firstTimeoutMs"> {
  return rest;
}

async function openHolder(
  holder: IdentityHolder,
  { signal, firstTimeoutMs }: MountOptions,
  read: () => void,
): ReturnType<OpenMount> {
  read();
  try {
    await holder.first({ signal, timeoutMs: firstTimeoutMs });
  } catch (error) {
    holder.close();
    throw error;
  }
  return holder.asSource({ reload: async () => read(), close: async () => holder.close() });
}

function dataOf(
  api: KubernetesApi,
  namespace: string,
  name: string,
): Readonly<Record<string, string>> | undefined {
  const found = api.store.get("secrets", namespace, name) as { data?: Record<string, string> } | undefined;
  return found?.data;
}
