import type { DrainReport } from "./consumer.ts";
import type { Connection } from "./internal/connection.ts";

/** How the connections of older generations end after a rotation. */
export interface DrainOptions {
  /**
   * How long a connection may stay after it was asked to go, before it is cut. By default until the certificate
   * that it was served expires: up to then both ends are as safe as on the day they met, so that nothing that is
   * under way needs to be lost; from then on the client would be talking to an expired certificate.
   */
  readonly drainTimeoutMs?: number;
  /** Over what time the connections are asked to go, so that they do not all come back at once: 5 s at most. */
  readonly drainJitterMs?: number;
}

/** What a certificate that expired before its connections were drained leaves to requests under way. */
const LAST_GRACE_MS = 10_000;
const LONGEST_JITTER_MS = 5_000;

/**
 * Sets when a connection is asked to go and when it is cut. An earlier plan stays; the next rotation does not put
 * it off.
 */
export function planDrain(connection: Connection, now: number, options: DrainOptions): void {
  const { drainTimeoutMs } = options;
  const end =
    drainTimeoutMs === undefined
      ? Math.max(connection.servedUntil, now + LAST_GRACE_MS)
      : now + drainTimeoutMs;
  const jitter = options.drainJitterMs ?? Math.min(LONGEST_JITTER_MS, (end - now) / 4);
  if (connection.deadline === Number.POSITIVE_INFINITY) {
    connection.drainAt = Math.min(connection.drainAt, now + Math.random() * jitter);
  }
  connection.deadline = Math.min(connection.deadline, end);
}

/** How long before its certificate ends a peer is asked to come back with the next: this, or a sixth of what it had left. */
const LONGEST_MARGIN_MS = 30_000;

/**
 * When a peer's own certificate says that its connection should go. Reckoned from when the peer came, not from
 * notBefore: issuers backdate that, by an hour at times, and a short certificate would never see a second request.
 */
export function peerDrainAt({ peer, since }: Connection): number {
  if (!peer) return Number.POSITIVE_INFINITY;
  const end = Math.min(...peer.path.map(({ notAfter }) => notAfter.getTime()));
  return end - Math.min(LONGEST_MARGIN_MS, Math.max(0, end - since) / 6);
}

interface Drain {
  readonly generation: number;
  connections: number;
  closed: number;
  cut: number;
  readonly done: Promise<DrainReport>;
  readonly finish: (report: DrainReport) => void;
}

/** Keeps account of drains, which may overlap, until the last connection of each has gone. */
export class DrainLedger {
  readonly #drains = new Map<number, Drain>();
  #newest = 0;

  /** The account of a generation's drain; opened at the first call, the same for later ones until it is done. */
  open(generation: number, connections: number): Promise<DrainReport> {
    const known = this.#drains.get(generation);
    if (known) return known.done;
    let finish: (report: DrainReport) => void = () => {};
    const done = new Promise<DrainReport>((resolve) => {
      finish = resolve;
    });
    this.#drains.set(generation, { generation, connections, closed: 0, cut: 0, done, finish });
    this.#newest = Math.max(this.#newest, generation);
    return done;
  }

  /** The newest generation being drained to; 0 while nothing is drained. */
  get newest(): number {
    return this.#newest;
  }

  /** A handshake that was begun with an older generation came through after the drain had begun. */
  joined(connection: Connection): void {
    for (const drain of this.#drains.values())
      if (connection.servedBy < drain.generation) drain.connections += 1;
  }

  left(connection: Connection): void {
    for (const drain of this.#drains.values()) {
      if (connection.servedBy >= drain.generation) continue;
      if (connection.wasCut) drain.cut += 1;
      else drain.closed += 1;
    }
  }

  /** `oldest`: the oldest generation that is still in use, by open connections or by handshakes under way. */
  settle(oldest: number): void {
    for (const drain of this.#drains.values()) {
      if (oldest < drain.generation) continue;
      this.#drains.delete(drain.generation);
      const { connections, closed, cut } = drain;
      drain.finish({ connections, closed, cut });
    }
    this.#newest = Math.max(0, ...this.#drains.keys());
  }
}
