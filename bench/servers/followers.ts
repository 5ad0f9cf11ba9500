// Followers of one Lease, all in this process.  followers KUBECONFIG NAMESPACE LEASE COUNT
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { createKubeClient, createKubeTransport, loadKubeconfig, resources } from "@newleaf/kube";
import {
  createIdentityHolder,
  type IdentityHolder,
  type IdentityMaterial,
  type IdentitySource,
} from "@newleaf/rotation";
import { followCertificate, type MountOptions } from "@newleaf/webhook";

/** Each line that it reads. The first delivers. */
export type FollowersRequest =
  /** The kubelet's part: what is mounted from now on, in PEM. */
  | { readonly deliver: { readonly certificates: string; readonly key: string; readonly trust: string } }
  /** Rests for so long. */
  | { readonly idleMs: number };

/** What it writes when all have seen another hash; by the machine's monotonic clock. */
export interface HashSeen {
  readonly seenAtMs: readonly number[];
}

/** What it writes when all have loaded what was delivered. */
export interface Loaded {
  readonly loaded: number;
}

/** What it writes after a rest. */
export interface Rested {
  readonly cpuMs: number;
  /** Sent to the API server. */
  readonly requests: number;
}

const [kubeconfig = "", namespace = "", name = "", count = "1"] = process.argv.slice(2);
const transport = createKubeTransport(await loadKubeconfig({ path: kubeconfig }));
let requests = 0;
const client = createKubeClient({
  rateLimit: false,
  transport: {
    server: transport.server,
    send(request) {
      requests += 1;
      return transport.send(request);
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  },
});
const leases = client.resource(resources.leases, { namespace });

const holders: IdentityHolder[] = [];
let material: IdentityMaterial | undefined;
let seenAtMs: number[] = [];
let [loaded, following] = [0, false];

/** A mount whose files come when they are delivered. */
async function openMount({ announcements, ...options }: MountOptions): Promise<IdentitySource> {
  announcements.onChange(() => onSeen());
  const holder = createIdentityHolder({ announcements, ...options });
  holders.push(holder);
  const reload = async (): Promise<void> => {
    if (material !== undefined) holder.offer(material);
  };
  await reload();
  await holder.first({ signal: options.signal, timeoutMs: options.firstTimeoutMs });
  return holder.asSource({ reload, close: async () => holder.close() });
}

function onSeen(): void {
  if (!following) return;
  seenAtMs.push(Number(process.hrtime.bigint()) / 1e6);
  if (seenAtMs.length < Number(count)) return;
  say({ seenAtMs } satisfies HashSeen);
  seenAtMs = [];
}

async function watchLoads(source: IdentitySource): Promise<void> {
  for await (const _generation of source.watch()) {
    loaded += 1;
    if (loaded % Number(count) === 0) say({ loaded: Number(count) } satisfies Loaded);
  }
}

async function startFollowers(): Promise<void> {
  const follow = (): Promise<IdentitySource> =>
    // A lagging mount is read so seldom that only what is delivered counts.
    followCertificate({ leases, name, mount: openMount, tickMs: 60_000, certTimeoutMs: 60_000 });
  const sources = await Promise.all(Array.from({ length: Number(count) }, follow));
  following = true;
  for (const source of sources) void watchLoads(source);
}

async function rest(ms: number): Promise<Rested> {
  const [before, sent] = [process.cpuUsage(), requests];
  await delay(ms);
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1_000, requests: requests - sent };
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as FollowersRequest;
  if ("idleMs" in request) {
    say(await rest(request.idleMs));
  } else {
    material = request.deliver;
    if (!following) await startFollowers();
    else for (const holder of holders) holder.offer(material);
  }
}
