import { rmSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createSpiffeAuthority,
  startWorkloadApi,
  type WorkloadApiServer,
  type X509SvidOptions,
} from "@newleaf/testing";
import type { Certificate } from "@newleaf/x509";

const MEMBERS = ["database", "backend", "envoy", "frontend"] as const;

export type Member = (typeof MEMBERS)[number];

/** How long an SVID lives; it is replaced at half of that. */
export const LIFE_MS = 8_000;
/** For clocks that are a little behind; not more, or half of the life would be over when it begins. */
const BACKDATE_MS = 1_000;

const TRUST_DOMAIN = "shop.example";

/** The SPIFFE ID of a member. */
export function idOf(member: Member): string {
  return `spiffe://${TRUST_DOMAIN}/${member}`;
}

/** A trust domain with a Workload API for each workload: an agent tells its callers apart, these are told by the socket. */
export interface SpiffeWorld extends AsyncDisposable {
  /** For everything that the demo writes; goes with the world. Others may enter it. */
  readonly directory: string;
  /** Of the member's Workload API. */
  address(member: Member): string;
  /** Calls back with each SVID that the member is sent, and when, until disposed. */
  onIssued(member: Member, listener: (svid: Certificate, at: Date) => void): Disposable;
  /** Starts to replace SVIDs: each at half of its life, the members one after another. */
  startRenewing(): void;
  stopRenewing(): void;
}

type Listener = (svid: Certificate, at: Date) => void;

export async function startSpiffeWorld(): Promise<SpiffeWorld> {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-demo-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  await chmod(directory, 0o755);
  const sockets = join(directory, "workload-api");
  await mkdir(sockets, { mode: 0o700 });
  const authority = createSpiffeAuthority({ trustDomain: TRUST_DOMAIN });
  const apis = new Map<Member, WorkloadApiServer>();
  const listeners = new Map<Member, Set<Listener>>();
  for (const member of MEMBERS) {
    const path = join(sockets, `${member}.sock`);
    apis.set(member, await startWorkloadApi({ authority, path, workloads: [svidOf(member)] }));
    listeners.set(member, new Set());
  }

  const timers = new Map<Member, NodeJS.Timeout>();
  const renew = (member: Member): void => {
    const at = new Date();
    const [svid] = apis.get(member)?.setWorkloads([svidOf(member)]) ?? [];
    if (svid) for (const listener of listeners.get(member) ?? []) listener(svid.identity.certificate, at);
    timers.set(
      member,
      setTimeout(() => renew(member), LIFE_MS / 2),
    );
  };
  const stopRenewing = (): void => {
    for (const timer of timers.values()) clearTimeout(timer);
    timers.clear();
  };
  return {
    directory,
    address: (member) => apis.get(member)?.address ?? "",
    onIssued(member, listener) {
      listeners.get(member)?.add(listener);
      return { [Symbol.dispose]: () => void listeners.get(member)?.delete(listener) };
    },
    startRenewing() {
      // In a cluster, too, workloads do not renew in step.
      for (const [index, member] of MEMBERS.entries()) {
        const first = (index * LIFE_MS) / 2 / MEMBERS.length;
        timers.set(
          member,
          setTimeout(() => renew(member), first),
        );
      }
    },
    stopRenewing,
    async [Symbol.asyncDispose]() {
      stopRenewing();
      for (const api of apis.values()) await api[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
      process.off("exit", remove);
    },
  };
}

/** The common name is what PostgreSQL compares with its roles; it does not look at URI names. */
function svidOf(member: Member): X509SvidOptions {
  return {
    path: `/${member}`,
    ttlMs: LIFE_MS,
    issue: {
      notBefore: new Date(Date.now() - BACKDATE_MS),
      extra: { subject: `CN=${member},O=SPIRE,C=US` },
    },
  };
}
