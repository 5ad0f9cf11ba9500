import type { ServerRotation } from "@newleaf/rotation";
import type { Demo } from "./demo.ts";

/** A leaf that was written for a server to take over. */
export interface WrittenLeaf {
  readonly sha256: string;
  readonly serialNumber: string;
  readonly writtenAt: Date;
}

/** A leaf that a handshake has shown. */
export interface ProvedLeaf {
  readonly sha256: string;
  readonly serialNumber: string;
  readonly servedAt: Date | undefined;
}

/** Tells and counts what one server serves: each generation as soon as a handshake has shown it. */
export class ServedRotations {
  readonly name: string;
  readonly #demo: Demo;
  readonly #since: string;
  readonly #writtenAt = new Map<string, number>();
  readonly #servedAt = new Map<string, number>();
  readonly #lags: number[] = [];
  #serving = "…";
  #rotations = 0;
  #drained = 0;

  /** `since`: what a leaf's way to being served is reckoned from, in the words of the demo. */
  constructor(demo: Demo, name: string, since = "the swap") {
    this.#demo = demo;
    this.name = name;
    this.#since = since;
  }

  get rotations(): number {
    return this.#rotations;
  }

  /** Connections that were open at a rotation and have gone without loss. */
  get drained(): number {
    return this.#drained;
  }

  /** From the writing of a leaf to the handshake that showed it. */
  get lagsMs(): readonly number[] {
    return this.#lags;
  }

  /** Leaves that were written and have not been seen at the server. */
  get unproved(): number {
    return this.#writtenAt.size;
  }

  /** One row for the live view. */
  headline(emphasize: (text: string) => string): string {
    const lagMs = this.#lags.at(-1);
    const lag = lagMs === undefined ? "" : `, last proved served after ${lagMs.toFixed(1)} ms`;
    return `${this.name}  ${emphasize(String(this.#rotations))} rotations${lag}; serving ${this.#serving}`;
  }

  written({ sha256, serialNumber, writtenAt }: WrittenLeaf): void {
    this.#writtenAt.set(sha256, writtenAt.getTime());
    this.#measureLag(sha256, serialNumber);
  }

  /** A handshake has shown this leaf for the first time. */
  proved({ sha256, serialNumber, servedAt }: ProvedLeaf): void {
    this.#serving = `${serialNumber.slice(0, 12)}…`;
    this.#rotations++;
    if (servedAt !== undefined) this.#servedAt.set(sha256, servedAt.getTime());
    this.#measureLag(sha256, serialNumber);
  }

  /** Follows the server until the demo's signal. */
  async follow(rotation: ServerRotation): Promise<void> {
    await Promise.all([this.#followServed(rotation), this.#followRecords(rotation)]);
  }

  /** Drains and failures follow in the record. */
  async #followServed(rotation: ServerRotation): Promise<void> {
    const { signal } = this.#demo;
    for (let generation = 2; !signal.aborted; ) {
      const record = await rotation.whenServed(generation, signal).catch(() => undefined);
      if (record === undefined) return;
      generation = record.generation + 1;
      const { sha256, serialNumber, stages } = record;
      this.proved({ sha256, serialNumber, servedAt: stages.served });
    }
  }

  async #followRecords(rotation: ServerRotation): Promise<void> {
    for await (const { generation, outcome, reason, consumers } of rotation.records(this.#demo.signal)) {
      this.#drained += consumers.reduce((sum, { drained }) => sum + (drained?.closed ?? 0), 0);
      if (outcome === "refused" || outcome === "stalled") {
        this.#demo.problem(`rotation ${generation} ${outcome}: ${reason?.message}`);
      }
    }
  }

  /** Of a new leaf, once both are known; the proof may well be done before the writer has cleaned up behind itself. */
  #measureLag(sha256: string, serialNumber: string): void {
    const [written, served] = [this.#writtenAt.get(sha256), this.#servedAt.get(sha256)];
    if (written === undefined || served === undefined) return;
    this.#writtenAt.delete(sha256);
    const lagMs = Math.max(0, served - written);
    this.#lags.push(lagMs);
    this.#demo.tell(
      "rotation",
      `${this.name} serves ${serialNumber.slice(0, 12)}…, proved ${lagMs} ms after ${this.#since}`,
    );
  }
}
