import { setTimeout as sleep } from "node:timers/promises";
import type { CommandContext } from "@newleaf/daemon";
import { frozenSource, type ProbeSummary, parseProbeTarget, runProbe, tryRogue } from "@newleaf/probe";
import { type RolloverStep, type RotationRecord, rollTrust, watchFiles } from "@newleaf/rotation";
import { type Backend, startBackend } from "./backend.ts";
import { type ClientTally, type DemoResult, percentile } from "./demo-result.ts";
import { type DemoClient, EXTERNAL_PROGRAMS, hasProgram, startExternalClient } from "./external-client.ts";
import { startFrontend, startUndici } from "./in-process-clients.ts";
import { createNarrator, type Narrator } from "./narrator.ts";
import { startWorld, type World } from "./world.ts";

export interface DemoOptions {
  readonly duration: number;
  readonly rotateEvery: number;
}

/** Workers of each client of this process. */
const WORKERS = 3;
/** Seconds between two requests of a client program. */
const PAUSE = 0.25;

/** Runs the whole story and tells it on stderr. Resolves with what it showed; nothing is left behind. */
export async function runDemo(options: DemoOptions, context: CommandContext): Promise<DemoResult> {
  const demo = new Demo(options, context);
  try {
    return await demo.run();
  } finally {
    await demo[Symbol.asyncDispose]();
  }
}

const ROLLOVER_STEPS: Readonly<Record<RolloverStep, string>> = {
  published: "both authorities are in every bundle",
  acknowledged: "everyone verifies with both",
  switched: "leaves are issued by the next authority",
  proved: "everyone uses such a leaf, proved by handshakes",
  dropped: "the old authority is out of every bundle",
  retired: "nobody accepts it any more",
};

class Demo implements AsyncDisposable {
  readonly #options: DemoOptions;
  readonly #signal: AbortSignal;
  readonly #over = new AbortController();
  readonly #startedAt = Date.now();
  readonly #narrator: Narrator;
  readonly #started: AsyncDisposable[] = [];
  readonly #clients: DemoClient[] = [];
  readonly #refused: Record<string, number> = {};
  readonly #writtenAt = new Map<string, number>();
  readonly #servedAt = new Map<string, number>();
  readonly #lags: number[] = [];
  readonly #problems: string[] = [];
  #latest: RotationRecord | undefined;
  #legacySha256: string | undefined;
  #legacyNotAfter = Number.POSITIVE_INFINITY;
  /** In the backend's words: the client only learns that it was closed on. */
  #legacyReason: string | undefined;
  #rotations = 0;
  #drained = 0;
  #caRollovers = 0;

  constructor(options: DemoOptions, context: CommandContext) {
    this.#options = options;
    this.#signal = AbortSignal.any([context.signal, this.#over.signal]);
    this.#narrator = createNarrator(context, () => this.#facts());
  }

  async run(): Promise<DemoResult> {
    const { duration, rotateEvery } = this.#options;
    this.#narrator.tell(
      "step",
      `an authority and its volumes; every certificate is replaced after ${rotateEvery} ms`,
    );
    const world = this.#keep(await startWorld(rotateEvery));
    const volume = world.volumes.backend;
    volume.events.on("write", ({ sha256, serialNumber, writtenAt, reason }) => {
      // A new bundle for the same leaf is a rotation too, but no swap of what is served.
      if (reason !== "trust") this.#writtenAt.set(sha256, writtenAt.getTime());
      this.#measureLag(sha256, serialNumber);
    });
    const backend = this.#keep(
      await startBackend(volume.directory, ({ code, peer }) => {
        this.#refused[code] = (this.#refused[code] ?? 0) + 1;
        if (peer?.sha256 === this.#legacySha256) this.#legacyReason ??= code;
      }),
    );
    const following = Promise.all([this.#followServed(backend), this.#followRecords(backend)]);
    this.#narrator.tell(
      "step",
      `backend on ${backend.url}, a client certificate of the demo's own is demanded`,
    );
    await this.#startClients(world, backend);

    const legacy = this.#runLegacy(world, backend);
    await this.#pause(duration * 0.15);
    await this.#tryRogue(world, backend);
    await this.#pause(duration * 0.45 - (Date.now() - this.#startedAt));
    await this.#rollAuthority(world, backend);
    await this.#pause(duration - (Date.now() - this.#startedAt));

    // Clients first, so that none of them meets a backend that is stopping.
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    this.#over.abort();
    const legacySummary = await legacy;
    await following;
    return this.#result(legacySummary);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    for (const part of this.#started.splice(0).reverse()) await part[Symbol.asyncDispose]();
    this.#narrator[Symbol.dispose]();
  }

  #keep<T extends AsyncDisposable>(part: T): T {
    this.#started.push(part);
    return part;
  }

  async #startClients(world: World, backend: Backend): Promise<void> {
    const { volumes } = world;
    const add = (client: DemoClient): void => void this.#clients.push(this.#keep(client));
    add(await startFrontend(volumes.frontend.directory, backend.url, WORKERS));
    add(await startUndici(volumes.undici.directory, backend.url, WORKERS));
    for (const name of EXTERNAL_PROGRAMS) {
      if (!hasProgram(name)) {
        this.#narrator.tell("step", `${name} is not on this machine: left out`);
        continue;
      }
      const target = name === "openssl s_client" ? backend.address : backend.url;
      add(startExternalClient(name, volumes[name].directory, target, PAUSE));
    }
    this.#narrator.tell("step", `clients: ${this.#clients.map(({ name }) => name).join(", ")}`);
  }

  /** Each generation as soon as a handshake has shown it; drains and failures follow in its record. */
  async #followServed(backend: Backend): Promise<void> {
    for (let generation = 2; !this.#signal.aborted; ) {
      const record = await backend.rotation.whenServed(generation, this.#signal).catch(() => undefined);
      if (record === undefined) return;
      generation = record.generation + 1;
      this.#served(record);
    }
  }

  async #followRecords(backend: Backend): Promise<void> {
    for await (const { generation, outcome, reason, consumers } of backend.rotation.records(this.#signal)) {
      this.#drained += consumers.reduce((sum, { drained }) => sum + (drained?.closed ?? 0), 0);
      if (outcome === "refused" || outcome === "stalled") {
        this.#problem(`rotation ${generation} ${outcome}: ${reason?.message}`);
      }
    }
  }

  #served(record: RotationRecord): void {
    this.#latest = record;
    this.#rotations++;
    const { served } = record.stages;
    if (served !== undefined) this.#servedAt.set(record.sha256, served.getTime());
    this.#measureLag(record.sha256, record.serialNumber);
  }

  /** Of a new leaf, once both are known; the proof may well be done before the writer has cleaned up behind itself. */
  #measureLag(sha256: string, serialNumber: string): void {
    const [written, served] = [this.#writtenAt.get(sha256), this.#servedAt.get(sha256)];
    if (written === undefined || served === undefined) return;
    this.#writtenAt.delete(sha256);
    const lagMs = Math.max(0, served - written);
    this.#lags.push(lagMs);
    this.#narrator.tell(
      "rotation",
      `backend serves ${serialNumber.slice(0, 12)}…, proved ${lagMs} ms after the swap`,
    );
  }

  async #runLegacy(world: World, backend: Backend): Promise<ProbeSummary> {
    await using source = await watchFiles({ directory: world.volumes.legacy.directory });
    const { leaf } = source.current();
    this.#legacySha256 = leaf.sha256;
    this.#legacyNotAfter = leaf.notAfter.getTime();
    const failed = new AbortController();
    return await runProbe({
      target: parseProbeTarget(backend.url),
      source: frozenSource(source.current()),
      everyMs: 500,
      concurrency: 1,
      timeoutMs: 10_000,
      signal: AbortSignal.any([this.#signal, failed.signal]),
      onEvent: (event) => {
        if (event.type !== "failure" || failed.signal.aborted) return;
        failed.abort();
        const why =
          Date.now() > this.#legacyNotAfter
            ? "its certificate has expired"
            : event.reason.replaceAll("_", " ");
        this.#narrator.tell(
          "good",
          `the legacy application fails, as it must: it read its files once; ${why}`,
        );
      },
    });
  }

  async #tryRogue(world: World, backend: Backend): Promise<void> {
    this.#narrator.tell("step", "the rogue tries every way in");
    await using own = await watchFiles({ directory: world.volumes.frontend.directory });
    const authority = world.authority();
    const revoked = authority.issue({
      uris: ["spiffe://demo.test/ns/mtls-demo/sa/frontend"],
      defect: "revoked",
    });
    await world.volumes.backend.renewNow();
    const { results } = await tryRogue({
      target: parseProbeTarget(backend.url),
      own: own.current(),
      authority: authority.root,
      revoked: { cert: revoked.chainPem, key: revoked.keyPem },
      timeoutMs: 5_000,
      signal: this.#signal,
      onResult: ({ description, verdict, seen }) => {
        const expected = verdict === "refused" || verdict === "served";
        this.#narrator.tell(
          expected ? "good" : "bad",
          `${description}: ${verdict.replace("_", " ")} (${seen})`,
        );
        if (!expected && verdict !== "skipped")
          this.#problem(`the rogue, ${description}: ${verdict} (${seen})`);
      },
    });
    if (results.length === 0) this.#problem("the rogue tried nothing");
  }

  async #rollAuthority(world: World, backend: Backend): Promise<void> {
    this.#narrator.tell(
      "step",
      "CA rollover: the next authority joins the trust, leaves move, the old one leaves",
    );
    const { outcome, reason } = await rollTrust(
      {
        ...world.roll(),
        participants: () => [backend, ...this.#clients].map(({ participant }) => participant),
      },
      {
        signal: this.#signal,
        stepTimeoutMs: 30_000,
        onStep: ({ steps }) =>
          this.#narrator.tell("rotation", ROLLOVER_STEPS[Object.keys(steps).at(-1) as RolloverStep]),
      },
    );
    if (outcome === "complete") this.#caRollovers++;
    else if (!this.#signal.aborted)
      this.#problem(`the CA rollover stopped at ${reason?.step}: ${reason?.message}`);
  }

  #problem(text: string): void {
    this.#problems.push(text);
    this.#narrator.tell("bad", text);
  }

  async #pause(ms: number): Promise<void> {
    await sleep(Math.max(0, ms), undefined, { signal: this.#signal }).catch(() => {});
  }

  #tallies(): Record<string, ClientTally> {
    return Object.fromEntries(this.#clients.map((client) => [client.name, client.tally()]));
  }

  #facts(): Parameters<typeof createNarrator>[1] extends () => infer Facts ? Facts : never {
    return {
      elapsedMs: Date.now() - this.#startedAt,
      durationMs: this.#options.duration,
      rotations: this.#rotations,
      servedLagMs: this.#lags.at(-1),
      serving: this.#latest === undefined ? "…" : `${this.#latest.serialNumber.slice(0, 12)}…`,
      clients: this.#tallies(),
      refused: this.#refused,
    };
  }

  #result(legacy: ProbeSummary): DemoResult {
    const clients = this.#tallies();
    const sum = (pick: (tally: ClientTally) => number): number =>
      Object.values(clients).reduce((total, tally) => total + pick(tally), 0);
    for (const client of this.#clients) {
      const { requests, failures } = client.tally();
      if (failures > 0)
        this.#problem(
          `${client.name}: ${failures} of ${requests} requests failed, last: ${client.lastFailure()}`,
        );
      if (requests === 0) this.#problem(`${client.name} made no request`);
    }
    if (this.#rotations === 0) this.#problem("nothing rotated");
    if (this.#caRollovers === 0) this.#problem("the authority did not roll over");
    const outlived = Date.now() > this.#legacyNotAfter + 1_000;
    if (outlived && legacy.firstFailure === undefined) this.#problem("the legacy application never failed");
    return {
      rotations: this.#rotations,
      requests: sum(({ requests }) => requests),
      failures: sum(({ failures }) => failures),
      refused: this.#refused,
      servedLagMs: {
        p50: percentile(this.#lags, 0.5),
        p99: percentile(this.#lags, 0.99),
        max: Math.max(0, ...this.#lags),
      },
      drained: this.#drained,
      clients,
      legacy: {
        failedAfterMs: legacy.firstFailure?.afterMs ?? null,
        reason: this.#legacyReason ?? legacy.firstFailure?.reason ?? null,
      },
      caRollovers: this.#caRollovers,
      problems: this.#problems,
    };
  }
}
