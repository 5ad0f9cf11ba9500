import type { ServerResponse } from "node:http";
import type { ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../clock.ts";
import type { Generation } from "../generation.ts";
import { markPeer, type VerifiedPeer } from "../verified-peer.ts";
import { sayFarewell } from "./h2-farewell.ts";
import { http2 } from "./lazy-http2.ts";

/** What is spoken on it. `opaque`: bytes that are not ours to interrupt, such as raw TLS or an upgraded connection. */
export type Activity = "http" | "h2" | "opaque";

/** A client that does not take the last octets is not waited for. */
const LONGEST_GOODBYE_MS = 1_000;
const CONNECTION = Symbol("newleaf.connection");
type Marked = Duplex & { [CONNECTION]?: Connection };

/** A connection that was let in: who is there, which certificate it was served, and how to end it without loss. */
export class Connection {
  readonly socket: TLSSocket;
  readonly address: string;
  /** It began with a session ticket. */
  readonly resumed: boolean;
  /** When it was let in, in milliseconds since the epoch. */
  readonly since: number;
  /** The generation whose certificate the peer was shown, and when that expires. */
  readonly servedBy: number;
  readonly servedUntil: number;
  /** The generation its peer was last validated against. */
  checkedBy: number;
  /** When to ask the peer to come back on a new connection, when to insist; infinity while not planned. */
  drainAt: number = Number.POSITIVE_INFINITY;
  deadline: number = Number.POSITIVE_INFINITY;
  /** Something was under way when it was destroyed. */
  wasCut = false;
  #peer: VerifiedPeer | undefined;
  #activity: Activity;
  #draining = false;
  #ending = false;
  #underWay = 0;
  #response: ServerResponse | undefined;
  #session: ServerHttp2Session | undefined;

  constructor(
    socket: TLSSocket,
    about: {
      readonly peer: VerifiedPeer | undefined;
      readonly address: string;
      readonly resumed: boolean;
      readonly servedBy: Generation;
      readonly checkedBy: number;
      readonly activity: Activity;
      readonly since: number;
    },
  ) {
    const { peer, servedBy } = about;
    this.socket = socket;
    this.address = about.address;
    this.resumed = about.resumed;
    this.since = about.since;
    this.servedBy = servedBy.number;
    this.servedUntil = servedBy.notAfter.getTime();
    this.checkedBy = about.checkedBy;
    this.#peer = peer;
    this.#activity = about.activity;
    if (peer) markPeer(socket, peer);
    (socket as Marked)[CONNECTION] = this;
  }

  /** Undefined where no client is asked who it is. */
  get peer(): VerifiedPeer | undefined {
    return this.#peer;
  }

  get expiresAt(): number {
    return this.#peer?.validUntil.getTime() ?? Number.POSITIVE_INFINITY;
  }

  /** When something is to be done about it next. */
  get due(): number {
    return this.#ending ? this.deadline : Math.min(this.drainAt, this.deadline, this.expiresAt + 1);
  }

  /** Between requests, as far as HTTP/1 shows it. */
  get isIdle(): boolean {
    return this.#activity === "http" && this.#underWay === 0;
  }

  confirm(peer: VerifiedPeer | undefined, generation: number): void {
    this.#peer = peer;
    this.checkedBy = generation;
    if (peer) markPeer(this.socket, peer);
  }

  /** A request of HTTP/1 whose handler has not run yet. */
  respond(response: ServerResponse): void {
    this.#underWay += 1;
    this.#response = response;
    if (this.#draining) response.shouldKeepAlive = false;
    response.once("close", () => {
      this.#underWay -= 1;
      // Between requests a connection keeps nothing of the last one alive.
      if (this.#response === response) this.#response = undefined;
    });
  }

  takeOver(): void {
    this.#activity = "opaque";
  }

  attach(session: ServerHttp2Session): void {
    this.#activity = "h2";
    this.#session = session;
  }

  /**
   * Asks the peer to use another connection from now on: `Connection: close` with this response, if its headers
   * are not on their way, or else with the next; GOAWAY. What is under way goes on. An opaque one cannot be asked.
   */
  drain(clock: Clock): void {
    this.#draining = true;
    if (this.#response && !this.#response.headersSent) this.#response.shouldKeepAlive = false;
    if (this.#session) sayFarewell(this.#session, clock);
  }

  /** At the deadline: an idle one is closed with close_notify and FIN, what is under way is cut. */
  end(now: number): void {
    if (!this.isIdle || this.#ending) {
      this.destroy();
      return;
    }
    this.#ending = true;
    this.deadline = now + LONGEST_GOODBYE_MS;
    this.socket.destroySoon();
  }

  destroy(): void {
    if (this.socket.destroyed) return;
    this.wasCut = !this.isIdle;
    this.#session?.destroy(undefined, http2().constants.NGHTTP2_NO_ERROR);
    this.socket.destroy();
  }
}

/** Also through the socket proxies of HTTP/2. */
export function connectionOf(socket: Duplex): Connection | undefined {
  try {
    return (socket as Marked)[CONNECTION];
  } catch {
    return undefined;
  }
}
