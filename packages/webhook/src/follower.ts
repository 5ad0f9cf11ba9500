import {
  type Clock,
  type Freshness,
  type Informer,
  type Lease,
  type Logger,
  type ResourceClient,
  silentLogger,
  startInformer,
  systemClock,
} from "@newleaf/kube";
import {
  type Announcements,
  type IdentityMaterial,
  type IdentitySource,
  RotationError,
  watchFiles,
} from "@newleaf/rotation";
import { encodeCertificates } from "@newleaf/x509";
import { type AnnotationNames, annotationNames } from "./annotations.ts";
import { WebhookError } from "./error.ts";
import { type AcknowledgeOptions, createFollowerReporter, type FollowerReporter } from "./follower-report.ts";
import { loggedWatch } from "./internal/logged-watch.ts";
import { type LeaseAnnouncement, parseAnnouncement, sha256Hex } from "./lease-announcement.ts";

export interface FollowCertificateOptions {
  /** In the namespace of the serving Lease. */
  readonly leases: ResourceClient<Lease>;
  /** Of the serving Lease. */
  readonly name: string;
  /** The directory that the serving Secret is mounted in, or another way to its contents (`watchSecret`, a test's). */
  readonly mount: string | OpenMount;
  /** Says on the follower's own Pod what it waits for and what it has loaded. Without it nothing is said. */
  readonly acknowledge?: AcknowledgeOptions | undefined;
  /** How long to wait where there has never been a certificate; Infinity for ever. Default 180 s. */
  readonly certTimeoutMs?: number | undefined;
  /** How often the mount is read while it lags behind the Lease. Default 2 s. */
  readonly tickMs?: number | undefined;
  /** Of annotations; `newleaf.dev`. */
  readonly annotationPrefix?: string | undefined;
  /** Ends the wait for the first certificate; afterwards only disposal ends the source. */
  readonly signal?: AbortSignal | undefined;
  /** Handed, at once, what tells at any time how the follower is doing, while it waits for a first one too. */
  readonly onStart?: ((status: () => FollowerStatus) => void) | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
  /** From 0 to below 1. */
  readonly random?: (() => number) | undefined;
}

/** How a follower is doing. Hashes are of the octets of `tls.crt`, SHA-256 in lower-case hex. */
export interface FollowerStatus {
  readonly announced: string | undefined;
  readonly loaded: string | undefined;
  /** What is announced is not what is loaded. */
  readonly behind: boolean;
  /** What there is no certificate, or no newer one, for the lack of; undefined when nothing is waited for. */
  readonly waitingFor: string | undefined;
  /** Of the watch of the Lease. */
  readonly lease: Freshness;
}

/** Opens the source of the files' contents, which must ask `announcements` before it takes an identity. */
export type OpenMount = (options: MountOptions) => Promise<IdentitySource>;

/** Options that `watchFiles` and `watchSecret` both take. */
export interface MountOptions {
  readonly announcements: Announcements;
  readonly allowIdentityChange: boolean;
  readonly firstTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The certificate that a leader announces in its Lease, as an identity source: of what is mounted, only what the Lease
 * names by its hash is taken, first and at every renewal; until then the one before goes on being served. Idle, it
 * makes no request but the watch of this one Lease. Resolves with a first certificate, or rejects with
 * ERR_WEBHOOK_NO_CERTIFICATE, or with the signal's reason.
 */
export async function followCertificate(options: FollowCertificateOptions): Promise<IdentitySource> {
  const follower = new Follower(options);
  try {
    return await follower.start();
  } catch (error) {
    await follower.stop();
    throw error;
  }
}

interface Hashes {
  readonly certHash: string;
  readonly caHash: string;
}

const DEFAULT_CERT_TIMEOUT_MS = 180_000;
const DEFAULT_TICK_MS = 2_000;
/** Asking the kubelet again, where a sync came too early: after 5 s, doubling up to a minute. */
const FIRST_NUDGE_MS = 5_000;
const LONGEST_NUDGE_MS = 60_000;

class Follower {
  readonly #options: FollowCertificateOptions;
  readonly #names: AnnotationNames;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #informer: Informer<Lease>;
  readonly #reporter: FollowerReporter | undefined;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();
  #source: IdentitySource | undefined;
  #announced: LeaseAnnouncement | undefined;
  /** What the gate let through last, and what was found when it did not. */
  #passed: Hashes | undefined;
  #found: Hashes | undefined;
  #loaded: Hashes | undefined;
  #mismatch: { readonly expected: string; nudges: number; nudgeAt: number } | undefined;
  #ticker: { cancel(): void } | undefined;
  #following: Promise<void> = Promise.resolve();
  #reload: Promise<void> | undefined;

  constructor(options: FollowCertificateOptions) {
    const { leases, name, acknowledge } = options;
    const { clock = systemClock, logger = silentLogger, random = Math.random } = options;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#names = annotationNames(options.annotationPrefix);
    const names = this.#names;
    this.#reporter =
      acknowledge && createFollowerReporter({ ...acknowledge, name, names, clock, logger, random });
    const resource = loggedWatch(leases, {
      established: () =>
        logger.info({ lease: name }, "Lease watch established, monitoring for certificate updates"),
      closed: () => {
        if (!this.#closing.signal.aborted)
          logger.info({ lease: name }, "Lease watch closed, restarting watch");
      },
    });
    const fieldSelector = `metadata.name=${name}`;
    this.#informer = startInformer<Lease>({ resource, fieldSelector, clock, random, logger });
  }

  async start(): Promise<IdentitySource> {
    this.#options.onStart?.(() => this.#status());
    const seen = (): void => this.#onLease();
    this.#informer.addHandler({ add: seen, update: seen, delete: seen });
    this.#source = await this.#open();
    this.#following = this.#follow(this.#source);
    this.#evaluate();
    return this.#asSource(this.#source);
  }

  async stop(): Promise<void> {
    this.#closing.abort();
    this.#ticker?.cancel();
    await this.#source?.[Symbol.asyncDispose]();
    await this.#informer[Symbol.asyncDispose]();
    await this.#reporter?.[Symbol.asyncDispose]();
    await this.#following;
    await this.#reload;
  }

  async #open(): Promise<IdentitySource> {
    const {
      mount,
      certTimeoutMs = DEFAULT_CERT_TIMEOUT_MS,
      signal = new AbortController().signal,
    } = this.#options;
    const open: OpenMount =
      typeof mount === "string" ? (options) => watchFiles({ directory: mount, ...options }) : mount;
    try {
      return await open({
        announcements: this.#announcements(),
        signal,
        firstTimeoutMs: certTimeoutMs,
        clock: this.#clock,
        logger: this.#logger,
        // Names are the leader's to say, and it is the leader who announces the hash.
        allowIdentityChange: true,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RotationError) || error.code !== "ERR_ROTATION_NO_IDENTITY") throw error;
      const message = `timeout waiting for webhook certificates: ${this.#describeWait()} (${error.message})`;
      throw new WebhookError("ERR_WEBHOOK_NO_CERTIFICATE", message, { cause: error });
    }
  }

  #announcements(): Announcements {
    return {
      objection: (material) => this.#objection(hashesOf(material)),
      onChange: (again) => {
        this.#listeners.add(again);
        return () => this.#listeners.delete(again);
      },
    };
  }

  #objection(found: Hashes): string | undefined {
    this.#found = found;
    const announced = this.#announced;
    if (!announced) return this.#describeWait();
    if (announced.certHash !== found.certHash) {
      return `the Lease announces certificate ${announced.certHash}, and this is ${found.certHash}`;
    }
    if (announced.caHash !== undefined && announced.caHash !== found.caHash) {
      return `the Lease announces the trust bundle ${announced.caHash}, and this is ${found.caHash}`;
    }
    if (!isSame(found, this.#passed)) this.#passed = found;
    return undefined;
  }

  #onLease(): void {
    if (this.#closing.signal.aborted) return;
    const { name } = this.#options;
    const [lease] = this.#informer.list();
    const announced = parseAnnouncement(lease, this.#names);
    const changed =
      announced?.certHash !== this.#announced?.certHash || announced?.caHash !== this.#announced?.caHash;
    this.#announced = announced;
    const level = changed ? "info" : "debug";
    this.#logger[level](
      { lease: name, hash: announced?.certHash, caHash: announced?.caHash },
      "Lease watch event received",
    );
    if (!changed) return;
    for (const again of [...this.#listeners]) again();
    this.#evaluate();
  }

  async #follow(source: IdentitySource): Promise<void> {
    for await (const _generation of source.watch(this.#closing.signal)) this.#evaluate();
  }

  /** Compares what is announced with what is loaded, and says and does what follows. */
  #evaluate(): void {
    if (this.#closing.signal.aborted) return;
    // Not while the last update is refused: what passed may have failed after that.
    if (this.#source && this.#passed !== this.#loaded && !this.#source.status().stale) {
      this.#loaded = this.#passed;
      this.#logger.info({ hash: this.#loaded?.certHash }, "Certificate loaded and verified");
    }
    if (this.#isBehind()) this.#onMismatch();
    else this.#mismatch = undefined;
    this.#report();
    this.#setTicker();
  }

  #isBehind(): boolean {
    const announced = this.#announced;
    if (!announced) return false;
    // Before there is a source, what has passed is about to be it.
    const { certHash, caHash } = (this.#source ? this.#loaded : this.#passed) ?? {};
    return certHash !== announced.certHash || (announced.caHash ?? caHash) !== caHash;
  }

  #onMismatch(): void {
    const { certHash = "", caHash = "" } = this.#announced ?? {};
    const expected = `${certHash} ${caHash}`;
    const isNew = this.#mismatch?.expected !== expected;
    if (isNew) {
      this.#mismatch = { expected, nudges: 0, nudgeAt: this.#clock.monotonic() + FIRST_NUDGE_MS };
    }
    const found = this.#loaded ?? this.#found;
    this.#logger[isNew ? "info" : "debug"](
      { expected: certHash, found: found?.certHash, expectedCa: caHash, foundCa: found?.caHash },
      "Certificate hash mismatch, waiting for kubelet sync",
    );
  }

  #report(): void {
    this.#reporter?.report({
      expectedCertHash: this.#mismatch && this.#announced?.certHash,
      attempt: this.#mismatch?.nudges ?? 0,
      acknowledgedCertHash: this.#loaded?.certHash,
      acknowledgedCaHash: this.#loaded?.caHash,
    });
  }

  #setTicker(): void {
    if (!this.#mismatch) {
      this.#ticker?.cancel();
      this.#ticker = undefined;
      return;
    }
    this.#ticker ??= this.#clock.setTimeout(() => {
      this.#ticker = undefined;
      this.#onTick();
    }, this.#options.tickMs ?? DEFAULT_TICK_MS);
  }

  #onTick(): void {
    const mismatch = this.#mismatch;
    const source = this.#source;
    this.#logger.debug({ expected: this.#announced?.certHash }, "ticker check");
    const now = this.#clock.monotonic();
    if (mismatch && now >= mismatch.nudgeAt) {
      mismatch.nudges += 1;
      mismatch.nudgeAt = now + Math.min(LONGEST_NUDGE_MS, FIRST_NUDGE_MS * 2 ** mismatch.nudges);
    }
    if (!source) {
      this.#evaluate();
      return;
    }
    this.#reload ??= source
      .reload()
      .catch((error: unknown) => this.#logger.debug({ error: String(error) }, "mount not read"))
      .then(() => {
        this.#reload = undefined;
        this.#evaluate();
      });
  }

  #status(): FollowerStatus {
    const behind = this.#isBehind();
    return {
      announced: this.#announced?.certHash,
      loaded: this.#loaded?.certHash,
      behind,
      waitingFor: behind || !this.#loaded ? this.#describeWait() : undefined,
      lease: this.#informer.freshness(),
    };
  }

  #describeWait(): string {
    const { name } = this.#options;
    if (!this.#informer.hasSynced) return `Lease ${name} could not be read yet`;
    if (this.#informer.list().length === 0)
      return `there is no Lease ${name}: no leader has issued a certificate`;
    if (!this.#announced) return `Lease ${name} announces no certificate`;
    return `Lease ${name} announces ${this.#announced.certHash}, and ${this.#found?.certHash ?? "nothing"} is mounted`;
  }

  #asSource(source: IdentitySource): IdentitySource {
    let stopping: Promise<void> | undefined;
    return {
      current: () => source.current(),
      watch: (signal) => source.watch(signal),
      refusals: (signal) => source.refusals(signal),
      status: () => source.status(),
      reload: async () => {
        await source.reload();
        this.#evaluate();
      },
      [Symbol.asyncDispose]: () => {
        stopping ??= this.stop();
        return stopping;
      },
    };
  }
}

function isSame(one: Hashes, other: Hashes | undefined): boolean {
  return one.certHash === other?.certHash && one.caHash === other.caHash;
}

function hashesOf({ certificates, trust }: IdentityMaterial): Hashes {
  const trusted = typeof trust === "object" && "certificates" in trust ? trust.certificates : trust;
  return { certHash: hashOf(certificates), caHash: hashOf(trusted) };
}

function hashOf(part: IdentityMaterial["certificates"]): string {
  return sha256Hex(typeof part === "string" || part instanceof Uint8Array ? part : encodeCertificates(part));
}
