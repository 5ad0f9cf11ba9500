import { createHash } from "node:crypto";
import { isProved, proveServed } from "@newleaf/rotation";
import type { KubernetesApi } from "@newleaf/testing";
import { annotationNames, parseAnnouncement } from "@newleaf/webhook";
import { parseCertificates } from "@newleaf/x509";
import type { Demo } from "../demo.ts";
import type { ServerTally } from "../demo-result.ts";
import type { LogLine } from "../embedded-program.ts";
import { isDelivered, openRound, type Round, spreadOf } from "./announced-round.ts";
import { NAME } from "./cluster-objects.ts";
import type { Replica } from "./replica.ts";
import { LEASES, storedLease, storedSecret } from "./stored.ts";

const PROOF_MS = 3_000;
/** From an announcement until everybody serves it; shorter than from one renewal to the next. */
const DELIVERY_MS = 3_000;
const names = annotationNames();

/** Tells and measures how each announced certificate comes to the replicas: in the Lease, the volume, a handshake. */
export class Announcements implements Disposable {
  readonly #demo: Demo;
  readonly #api: KubernetesApi;
  readonly #replicas: ReadonlyMap<string, Replica>;
  readonly #unsubscribe: readonly (() => void)[];
  readonly #tallies = new Map<string, Tally>();
  /** Since when a Pod that was updated waits for its kubelet. */
  readonly #updatedAt = new Map<string, number>();
  #current: Round | undefined;
  #renewals = 0;
  /** From the Lease's change to the follower that has seen it. */
  readonly discoveryMs: number[] = [];
  /** From a Pod's update to the swap in its volume. */
  readonly kubeletMs: number[] = [];

  constructor(demo: Demo, api: KubernetesApi, replicas: ReadonlyMap<string, Replica>) {
    this.#demo = demo;
    this.#api = api;
    this.#replicas = replicas;
    const { table } = api.store;
    this.#unsubscribe = [
      table.subscribe(LEASES, ({ object }) => {
        if (object.metadata.name === NAME) this.#onLease();
      }),
      table.subscribe("pods", ({ object, type }) => {
        if (type === "MODIFIED") this.#onPod(object.metadata);
      }),
    ];
  }

  get current(): Round | undefined {
    return this.#current;
  }

  /** Certificates that followed another one. */
  get renewals(): number {
    return this.#renewals;
  }

  tallies(): readonly ServerTally[] {
    return [...this.#tallies.values()];
  }

  /** SHA-256 of the `tls.crt` that a handshake has shown last. */
  servedBy(pod: string): string | undefined {
    return this.#tallies.get(pod)?.serving;
  }

  /** Of the replica's log. */
  onLine(pod: string, line: LogLine): void {
    const round = this.#current;
    if (!round || this.#demo.signal.aborted || !this.#replicas.has(pod)) return;
    if (line.msg === "rotation complete") this.#tallyOf(pod).drained += drainedIn(line);
    if (line.msg === "rotation stalled") this.#demo.problem(`${pod}: a rotation stalled`);
    if (line.msg === "Lease watch event received" && line.hash === round.certHash) {
      if (line.caHash === round.caHash) this.#note(round, "seen", pod, performance.now());
    }
    if (line.msg === "Certificate loaded and verified" && line.hash === round.certHash) {
      void this.#prove(round, pod);
    }
  }

  /** Of the kubelet. */
  onSync(pod: string, files: Readonly<Record<string, Buffer>>, agoMs: number): void {
    const at = performance.now() - agoMs;
    const updatedAt = this.#updatedAt.get(pod);
    this.#updatedAt.delete(pod);
    if (updatedAt !== undefined) this.kubeletMs.push(at - updatedAt);
    const round = this.#current;
    const [certHash, caHash] = ["tls.crt", "ca.crt"].map((name) => sha256(files[name] ?? ""));
    if (round && round.certHash === certHash && round.caHash === caHash) this.#note(round, "synced", pod, at);
  }

  /** Nothing is waited for from a replica that is gone. */
  forget(pod: string): void {
    const round = this.#current;
    if (!round || isDelivered(round)) return;
    round.waiting.delete(pod);
    this.#tellDelivered(round);
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #onLease(): void {
    const announced = parseAnnouncement(storedLease(this.#api, NAME), names);
    const last = this.#current;
    if (!announced || (announced.certHash === last?.certHash && announced.caHash === last.caHash)) return;
    const encoded = storedSecret(this.#api, NAME)?.data?.["tls.crt"] ?? "";
    const [leaf] = parseCertificates(Buffer.from(encoded, "base64").toString("latin1"));
    if (!leaf) return;
    if (last) this.#checkInTime(last);
    const renews = announced.certHash !== last?.certHash;
    if (last && renews) this.#renewals += 1;
    this.#current = openRound({ ...announced, leaf, renews, waiting: this.#replicas.keys() });
  }

  /** What is overtaken by the next announcement at once need not have come to anybody. */
  #checkInTime(round: Round): void {
    if (isDelivered(round) || performance.now() - round.at < DELIVERY_MS || this.#demo.signal.aborted) return;
    const missing = [...round.waiting].filter((pod) => !round.served.has(pod));
    this.#demo.problem(`${round.certHash.slice(0, 8)} has not come to ${missing.join(", ")} in time`);
  }

  #onPod({ name = "", annotations = {} }: PodMetadata): void {
    if (annotations[names.expectedCertHash] === undefined || this.#updatedAt.has(name)) return;
    this.#updatedAt.set(name, performance.now());
  }

  #note(round: Round, step: "seen" | "synced", pod: string, at: number): void {
    if (!round.waiting.has(pod) || round[step].has(pod)) return;
    const afterMs = at - round.at;
    round[step].set(pod, afterMs);
    if (step === "seen") this.discoveryMs.push(afterMs);
    // The volume's writer may still clean up behind itself when what it wrote is served.
    else this.#tellDelivered(round);
  }

  /** By a handshake of the demo's own: what a replica says of itself is not taken for it. */
  async #prove(round: Round, pod: string): Promise<void> {
    const endpoint = this.#replicas.get(pod)?.endpoint;
    if (!endpoint) return;
    const target = `tls://${endpoint.host}:${endpoint.port}`;
    const { signal } = this.#demo;
    const [report] = await proveServed([target], round.leaf, { signal, withinMs: PROOF_MS }).catch(() => []);
    if (!report || !isProved(report) || signal.aborted) return;
    const tally = this.#tallyOf(pod);
    const isAnother = tally.serving !== undefined && tally.serving !== round.certHash;
    tally.serving = round.certHash;
    if (isAnother) tally.rotations += 1;
    if (!round.waiting.has(pod) || round.served.has(pod) || !round.seen.has(pod)) return;
    const afterMs = performance.now() - round.at;
    round.served.set(pod, afterMs);
    if (isAnother) tally.lagsMs.push(afterMs);
    this.#tellDelivered(round);
  }

  #tellDelivered(round: Round): void {
    if (!isDelivered(round) || this.#demo.signal.aborted) return;
    const what = round.renews ? `certificate ${round.certHash.slice(0, 8)}` : "another trust";
    const count = `${round.served.size}/${round.waiting.size}`;
    const { seen, synced, served } = round;
    const way = `seen after ${spreadOf(seen)}, in the volumes after ${spreadOf(synced)}`;
    this.#demo.tell("rotation", `${what} announced: ${way}, served by ${count} after ${spreadOf(served)}`);
  }

  #tallyOf(name: string): Tally {
    const tally = this.#tallies.get(name) ?? {
      name,
      rotations: 0,
      lagsMs: [],
      drained: 0,
      serving: undefined,
    };
    this.#tallies.set(name, tally);
    return tally;
  }
}

interface Tally extends ServerTally {
  rotations: number;
  drained: number;
  readonly lagsMs: number[];
  serving: string | undefined;
}

interface PodMetadata {
  readonly name?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface RotationLine {
  readonly consumers?: readonly { readonly drained?: { readonly closed: number } }[];
}

function drainedIn({ rotation }: LogLine): number {
  const { consumers = [] } = rotation as RotationLine;
  return consumers.reduce((sum, { drained }) => sum + (drained?.closed ?? 0), 0);
}

function sha256(octets: string | Buffer): string {
  return createHash("sha256").update(octets).digest("hex");
}
