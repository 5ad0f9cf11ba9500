import type { Clock } from "../clock.ts";
import type { DrainReport } from "../consumer.ts";
import { DrainLedger, type DrainOptions, peerDrainAt, planDrain } from "../drain.ts";
import type { Generation } from "../generation.ts";
import type { Logger } from "../logger.ts";
import { type Rejection, type RejectionCode, rejectedPeer } from "../rejection.ts";
import type { ClientCheck } from "./client-check.ts";
import type { Connection } from "./connection.ts";
import { createTimetable, type Timetable } from "./timetable.ts";

export interface LiveConnectionsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly drain: DrainOptions;
  readonly check: Pick<ClientCheck, "recheck">;
  readonly current: () => Generation;
  /** The oldest generation that a handshake under way was begun with; infinity when there is none. */
  readonly oldestUnderWay: () => number;
  readonly onRejection: (rejection: Omit<Rejection, "at">) => void;
}

/** How many connections are looked at before others get their turn, when trust or revocation lists change. */
const SWEEP_CHUNK = 256;

/** A server's connections from being let in to their end: asked again about their peers, drained, ended in time. */
export class LiveConnections {
  readonly #options: LiveConnectionsOptions;
  readonly #clock: Clock;
  readonly #timetable: Timetable;
  readonly #connections = new Set<Connection>();
  readonly #drains = new DrainLedger();

  constructor(options: LiveConnectionsOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#timetable = createTimetable(options.clock, (now) => this.#visit(now));
  }

  get size(): number {
    return this.#connections.size;
  }

  /** How many, by the generation whose certificate they were served. */
  byGeneration(): Record<number, number> {
    const counts: Record<number, number> = {};
    for (const { servedBy } of this.#connections) counts[servedBy] = (counts[servedBy] ?? 0) + 1;
    return counts;
  }

  add(connection: Connection): void {
    this.#connections.add(connection);
    connection.socket.once("close", () => this.#left(connection));
    connection.drainAt = peerDrainAt(connection);
    const { servedBy } = connection;
    if (servedBy < this.#drains.newest) this.#plan(connection, this.#clock.now());
    this.#timetable.expect(connection.due);
    if (servedBy < this.#drains.newest) this.#drains.joined(connection);
  }

  /** Whether it may go on by the current generation; if not, it has been ended. */
  admits(connection: Connection): boolean {
    const current = this.#options.current();
    if (connection.checkedBy === current.number && this.#clock.now() <= connection.expiresAt) return true;
    if (connection.socket.destroyed) return false;
    const verdict = this.#options.check.recheck(connection.peer, current);
    if (verdict.ok) {
      connection.confirm(verdict.peer, current.number);
      this.#timetable.expect(connection.due);
      return true;
    }
    const { peer, address, resumed } = connection;
    connection.destroy();
    this.#options.onRejection({
      code: whatChanged(verdict.code),
      message: verdict.message,
      address,
      resumed,
      phase: "established",
      ...(peer && { peer: rejectedPeer(peer.leaf) }),
    });
    return false;
  }

  /** Asks about all of them. Every request is checked as well; the sweep is for those that make none. */
  sweep(): void | Promise<void> {
    return this.#sweep([...this.#connections]);
  }

  /** Asks those of older generations to go; resolves when they have. */
  drain(generation: number): Promise<DrainReport> {
    const now = this.#clock.now();
    const older = [...this.#connections].filter(({ servedBy }) => servedBy < generation);
    for (const connection of older) {
      this.#plan(connection, now);
      if (connection.drainAt <= now) this.#drainNow(connection);
    }
    const drained = this.#drains.open(generation, older.length);
    this.settle();
    return drained;
  }

  /** Looks whether a drain is done: to be called too when a handshake under way has come to its end. */
  settle(): void {
    if (this.#drains.newest === 0) return;
    let oldest = this.#options.oldestUnderWay();
    for (const { servedBy } of this.#connections) oldest = Math.min(oldest, servedBy);
    this.#drains.settle(oldest);
  }

  /** No deadline is seen to any more. */
  close(): void {
    this.#timetable.close();
  }

  #plan(connection: Connection, now: number): void {
    planDrain(connection, now, this.#options.drain);
    this.#timetable.expect(connection.due);
  }

  #drainNow(connection: Connection): void {
    connection.drainAt = Number.POSITIVE_INFINITY;
    connection.drain(this.#clock);
  }

  #visit(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const connection of this.#connections) {
      if (now > connection.expiresAt) this.#expire(connection);
      else if (now >= connection.deadline) connection.end(now);
      else if (now >= connection.drainAt) this.#drainNow(connection);
      if (!connection.socket.destroyed) next = Math.min(next, connection.due);
    }
    return next;
  }

  #expire(connection: Connection): void {
    if (connection.isIdle) {
      // Nothing is refused: it was asked to go before, and had nothing more to say.
      const { address } = connection;
      this.#options.logger.debug({ address }, "idle connection of an expired peer closed");
      connection.end(this.#clock.now());
      return;
    }
    this.admits(connection);
  }

  #sweep(connections: readonly Connection[]): void | Promise<void> {
    for (const connection of connections.slice(0, SWEEP_CHUNK)) this.admits(connection);
    if (connections.length <= SWEEP_CHUNK) return;
    return new Promise((resolve) => {
      setImmediate(() => resolve(this.#sweep(connections.slice(SWEEP_CHUNK))));
    });
  }

  #left(connection: Connection): void {
    this.#connections.delete(connection);
    this.#drains.left(connection);
    this.settle();
  }
}

function whatChanged(code: RejectionCode): RejectionCode {
  if (code === "expired") return "peer_expired";
  return code === "unknown_authority" || code === "chain_incomplete" ? "trust_removed" : code;
}
