import { EventEmitter } from "node:events";
import { setTimeout as realTimeout } from "node:timers";
import { type AtomicVolume, createAtomicVolume, type VolumeFiles } from "./atomic-volume.ts";
import type { ManualClock } from "./manual-clock.ts";
import type { TestAuthority, TestIssueOptions } from "./test-authority.ts";
import type { TestIdentity } from "./test-identity.ts";

/** One delivery: what was written, why, and when `..data` moved. */
export interface CsiVolumeWrite {
  /** Counts from 1. */
  readonly number: number;
  readonly reason: "first" | "renewal" | "manual" | "authority" | "trust";
  /** SHA-256 of the leaf, lower hex. */
  readonly sha256: string;
  readonly serialNumber: string;
  readonly notAfter: Date;
  readonly writtenAt: Date;
  readonly identity: TestIdentity;
}

export interface CsiVolumeOptions {
  readonly directory: string;
  readonly authority: TestAuthority;
  /** Names and key of each certificate; its validity is the volume's. */
  readonly issue?: TestIssueOptions;
  /** Asked lifetime. A certificate's own notAfter is in whole seconds, so up to one second earlier. */
  readonly durationMs: number;
  /** Default a third of the lifetime, also where it is not shorter than that, as in the driver. */
  readonly renewBeforeMs?: number;
  /** Time runs this many times as fast: with 60, `duration: 1h` is a minute. Default 1. */
  readonly compression?: number;
  /** Bundle to deliver; default the authority's own. */
  readonly trustPem?: string;
  readonly keepOld?: boolean;
  /** Other file names than `tls.crt`, `tls.key`, `ca.crt`, or more of them. */
  readonly layout?: (identity: TestIdentity, trustPem: string) => VolumeFiles;
  readonly clock?: Pick<ManualClock, "now" | "setTimeout">;
}

/** A volume that renews by itself, as the cert-manager CSI driver keeps it; disposal removes the directory. */
export interface CsiVolume extends AsyncDisposable {
  readonly directory: string;
  /** The directory underneath, for hostile writers. */
  readonly volume: AtomicVolume;
  /** `write` for each delivery. A failed renewal is retried and kept in `lastError`. */
  readonly events: EventEmitter<{ write: [CsiVolumeWrite] }>;
  readonly lastError: unknown;
  current(): CsiVolumeWrite;
  renewNow(): Promise<CsiVolumeWrite>;
  /** Renews from another authority at once and from then on; the bundle stays as it is. */
  setAuthority(authority: TestAuthority): Promise<CsiVolumeWrite>;
  /** Delivers the current leaf with another bundle at once, and keeps to that bundle. */
  setTrust(trustPem: string): Promise<CsiVolumeWrite>;
  /** No renewal by itself until `resume`: an issuer that is down. */
  pause(): void;
  resume(): void;
}

const RETRY_MS = 1_000;

const systemClock: Pick<ManualClock, "now" | "setTimeout"> = {
  now: Date.now,
  setTimeout: (callback, ms) => {
    const timer = realTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Writes a first certificate and renews it at notAfter - renewBefore, each time with a key of its own. */
export async function startCsiVolume(options: CsiVolumeOptions): Promise<CsiVolume> {
  const volume = new Volume(options, await createAtomicVolume(options.directory));
  await volume.renew("first");
  return volume;
}

class Volume implements CsiVolume {
  readonly directory: string;
  readonly volume: AtomicVolume;
  readonly events: EventEmitter<{ write: [CsiVolumeWrite] }> = new EventEmitter();
  lastError: unknown;
  readonly #options: CsiVolumeOptions;
  readonly #clock: Pick<ManualClock, "now" | "setTimeout">;
  readonly #durationMs: number;
  readonly #renewAfterMs: number;
  #authority: TestAuthority;
  #trustPem: string;
  #current: CsiVolumeWrite | undefined;
  #timer: { cancel(): void } | undefined;
  #renewal: Promise<unknown> = Promise.resolve();
  #paused = false;
  #closed = false;

  constructor(options: CsiVolumeOptions, volume: AtomicVolume) {
    const { compression = 1, durationMs, renewBeforeMs = durationMs / 3 } = options;
    this.directory = options.directory;
    this.volume = volume;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#durationMs = durationMs / compression;
    this.#renewAfterMs =
      (durationMs - (renewBeforeMs < durationMs ? renewBeforeMs : durationMs / 3)) / compression;
    this.#authority = options.authority;
    this.#trustPem = options.trustPem ?? options.authority.trustPem;
  }

  current(): CsiVolumeWrite {
    if (!this.#current) throw new Error("the volume holds no certificate yet");
    return this.#current;
  }

  renewNow(): Promise<CsiVolumeWrite> {
    return this.renew("manual");
  }

  setAuthority(authority: TestAuthority): Promise<CsiVolumeWrite> {
    this.#authority = authority;
    return this.renew("authority");
  }

  setTrust(trustPem: string): Promise<CsiVolumeWrite> {
    this.#trustPem = trustPem;
    return this.#deliver(this.current().identity, "trust");
  }

  pause(): void {
    this.#paused = true;
    this.#timer?.cancel();
  }

  resume(): void {
    this.#paused = false;
    this.#schedule(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#renewal;
    await this.volume[Symbol.asyncDispose]();
  }

  async renew(reason: CsiVolumeWrite["reason"]): Promise<CsiVolumeWrite> {
    const notAfter = new Date(this.#clock.now() + this.#durationMs);
    const write = await this.#deliver(this.#authority.issue({ ...this.#options.issue, notAfter }), reason);
    this.#schedule(this.#renewAfterMs);
    return write;
  }

  async #deliver(identity: TestIdentity, reason: CsiVolumeWrite["reason"]): Promise<CsiVolumeWrite> {
    const { layout, keepOld = false } = this.#options;
    const files = layout ? layout(identity, this.#trustPem) : identity.files(this.#trustPem);
    const { swappedAt } = await this.volume.write(files, { keepOld });
    const { sha256, serialNumber, notAfter } = identity.certificate;
    const number = (this.#current?.number ?? 0) + 1;
    this.#current = { number, reason, sha256, serialNumber, notAfter, writtenAt: swappedAt, identity };
    this.events.emit("write", this.#current);
    return this.#current;
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#closed || this.#paused) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#renewal = this.renew("renewal").catch((error: unknown) => {
        this.lastError = error;
        this.#schedule(RETRY_MS);
      });
    }, delayMs);
  }
}
