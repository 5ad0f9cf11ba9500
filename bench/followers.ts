import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectKube, type KubeClient, resources, valueOrThrow } from "@newleaf/kube";
import { createTestAuthority, type TestIdentity } from "@newleaf/testing";
import { kubernetesProgram, startKubernetes } from "../e2e/kubernetes.ts";
import type { Bench } from "./bench.ts";
import { bundle } from "./bundle.ts";
import { type Conversation, startConversation } from "./conversation.ts";
import { residentMb } from "./cpu-time.ts";
import { quantile } from "./quantile.ts";
import type { FollowersRequest, HashSeen, Rested } from "./servers/followers.ts";

const followerCount = 100;
const wantedMs = 100;
const restMs = 15_000;
const namespace = "default";
const name = "webhook-certificate";

/** A hundred followers of one serving Lease: how soon they see another hash, and what they cost meanwhile. */
export const followers: Bench = {
  name: "followers",
  async run({ quick, home, log }) {
    const [changes, rests] = quick ? [5, 1] : [100, 8];
    if (kubernetesProgram() === undefined) {
      const line = "NEWLEAF_ETCD or NEWLEAF_KUBERNETES is not installed; e2e/setup/install.sh installs them";
      return { method: "not measured", tables: [], targets: [], absent: [line] };
    }
    await using kubernetes = await startKubernetes();
    await using kube = await connectKube({ kubeconfig: kubernetes.kubeconfig });
    const authority = createTestAuthority();
    const first = authority.issue({ dnsNames: ["webhook.default.svc"] });
    await createLease(kube.client, first);
    await using conversation = await startConversation({
      program: process.execPath,
      args: [
        await bundle(join(import.meta.dirname, "servers/followers.ts"), home),
        kubernetes.kubeconfig,
        namespace,
        name,
        String(followerCount),
      ],
    });
    await deliver(conversation, first);
    log(`followers: ${followerCount} follow`);
    const seenMs: number[] = [];
    const lastMs: number[] = [];
    for (let change = 0; change < changes; change += 1) {
      const identity = authority.issue({ dnsNames: ["webhook.default.svc"] });
      const waits = await announce(kube.client, conversation, identity);
      seenMs.push(...waits);
      lastMs.push(Math.max(...waits));
      await deliver(conversation, identity);
      // The next change meets followers at rest.
      await delay(50 + Math.random() * 50);
    }
    log(`followers: resting for ${(rests * restMs) / 1_000} s`);
    const { cpuMs, requests } = await rest(conversation, rests);
    const minutes = (rests * restMs) / 60_000;
    const p99 = quantile(seenMs, 0.99);
    const row = (what: string, samples: readonly number[]): Record<string, string | number> => ({
      "from the leader's write until": what,
      p50: quantile(samples, 0.5),
      p99: quantile(samples, 0.99),
      max: quantile(samples, 1),
    });
    return {
      method: `${changes} changes of the hash in one Lease of a real kube-apiserver, from just before the request is sent; ${followerCount} followers (followCertificate) in one other process, each with a watch of its own; then ${(rests * restMs) / 1_000} s of rest`,
      tables: [
        {
          title: "discovery, ms",
          rows: [row("a follower has seen the hash", seenMs), row("the last has seen it", lastMs)],
        },
        {
          title: "at rest",
          rows: [
            { what: "requests a minute, all followers", value: requests / minutes },
            { what: "CPU of one follower, us a minute", value: (cpuMs / followerCount / minutes) * 1_000 },
            { what: "resident MB, all followers", value: residentMb(conversation.pid) },
          ],
        },
      ],
      targets: [
        {
          what: "discovery, p99",
          wanted: `under ${wantedMs} ms`,
          measured: `${p99.toFixed(1)} ms`,
          met: p99 < wantedMs,
        },
        {
          what: "requests at rest",
          wanted: "0",
          measured: String(requests),
          met: requests === 0,
        },
      ],
      samples: { "seen by a follower": seenMs, "seen by the last": lastMs },
      absent: [],
    };
  },
};

function annotationsOf({ chainPem }: TestIdentity): Record<string, string> {
  return {
    "newleaf.dev/cert-ready": "true",
    "newleaf.dev/cert-hash": createHash("sha256").update(chainPem).digest("hex"),
  };
}

async function createLease(client: KubeClient, identity: TestIdentity): Promise<void> {
  const leases = client.resource(resources.leases, { namespace });
  valueOrThrow(await leases.create({ metadata: { name, annotations: annotationsOf(identity) } }), "create");
}

/** Writes the hash, and resolves with how long each follower took to see it. */
async function announce(
  client: KubeClient,
  conversation: Conversation,
  identity: TestIdentity,
): Promise<number[]> {
  const leases = client.resource(resources.leases, { namespace });
  const body = { metadata: { annotations: annotationsOf(identity) } };
  const sentMs = Number(process.hrtime.bigint()) / 1e6;
  valueOrThrow(await leases.patch(name, { type: "merge", body }), "patch");
  const { seenAtMs } = (await conversation.next()) as HashSeen;
  return seenAtMs.map((at) => at - sentMs);
}

/** Puts the files in front of all followers, and resolves when they have loaded them. */
async function deliver(conversation: Conversation, identity: TestIdentity): Promise<void> {
  const { chainPem: certificates, keyPem: key, trustPem: trust } = identity;
  conversation.say({ deliver: { certificates, key, trust } } satisfies FollowersRequest);
  await conversation.next();
}

async function rest(conversation: Conversation, times: number): Promise<Rested> {
  let [cpuMs, requests] = [0, 0];
  for (let time = 0; time < times; time += 1) {
    conversation.say({ idleMs: restMs } satisfies FollowersRequest);
    const rested = (await conversation.next()) as Rested;
    cpuMs += rested.cpuMs;
    requests += rested.requests;
  }
  return { cpuMs, requests };
}
