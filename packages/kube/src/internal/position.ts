import type { Clock } from "../clock.ts";
import type { Freshness } from "../reflector.ts";
import { compareResourceVersions } from "../resource-version.ts";

/** How far a reflector has come, and since when it has heard nothing. */
export class Position {
  readonly #clock: Clock;
  #resourceVersion: string | undefined;
  /** The server does not have the state that `#resourceVersion` names. */
  #lost = false;
  #synced = false;
  #seenAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** At first any state will do; then none that is older; the newest when ours is gone. */
  get listFrom(): string {
    return this.#lost ? "" : (this.#resourceVersion ?? "0");
  }

  get watchFrom(): string {
    return this.#lost ? "" : (this.#resourceVersion ?? "");
  }

  lose(): void {
    this.#lost = true;
  }

  /** A whole state was taken over, which may be an older one: the server may have been restored. */
  replace(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    this.#lost = false;
    this.#synced = true;
    this.seen();
  }

  /** False, and no step back, for what is not new: an old event that comes again must not move the next watch. */
  advance(resourceVersion: string | undefined): boolean {
    if (!resourceVersion || resourceVersion === this.#resourceVersion) return false;
    const order = compareResourceVersions(resourceVersion, this.#resourceVersion);
    if (order !== undefined && order < 0) return false;
    this.#resourceVersion = resourceVersion;
    return true;
  }

  /** The server said something. */
  seen(): void {
    this.#seenAt = this.#clock.monotonic();
  }

  freshness(watching: boolean): Freshness {
    return {
      synced: this.#synced,
      watching,
      ageMs: this.#clock.monotonic() - this.#seenAt,
      resourceVersion: this.#resourceVersion,
    };
  }
}
