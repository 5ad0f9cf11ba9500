import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket, TLSSocket as TlsSocket } from "node:tls";
import type { Clock } from "../clock.ts";
import { RotationError } from "../error.ts";
import type { Generation } from "../generation.ts";
import type { RejectionCode } from "../rejection.ts";
import { classifyOpening } from "./first-bytes.ts";
import { handshakeContext } from "./handshake-context.ts";
import { remoteAddress } from "./remote-address.ts";
import { createTimetable } from "./timetable.ts";
import { describeTlsFailure } from "./tls-failure.ts";

export interface AcceptOptions {
  readonly clock: Clock;
  readonly handshakeTimeoutMs: number;
  /** Whose certificate to show; asked when a client's first octets arrive. */
  readonly generation: () => Generation;
  readonly demandsCertificate: boolean;
  /** Our own check of what is served: shaken hands with, and never heard of again. */
  readonly isSelfCheck: (asked: Buffer | TLSSocket) => boolean;
  /** TLS is done and the client has proved to hold the key of its certificate, if one was demanded. Nothing else is known of it. */
  readonly onSecure: (socket: TLSSocket, arrival: { address: string; generation: Generation }) => void;
  readonly onFailure: (failure: { code: RejectionCode; message: string; address: string }) => void;
}

export interface Acceptor {
  /** The oldest generation that a handshake under way was begun with; infinity when there is none. */
  oldestUnderWay(): number;
  /** From now on connections are closed as they come, and handshakes under way are ended. */
  close(): void;
}

/**
 * Takes the place of the server's own 'connection' listener, the one that makes a TLS socket of it. Other
 * listeners stay. Why we shake hands ourselves: docs/decisions/0003-own-tls-socket.md.
 */
export function acceptConnections(server: Server, options: AcceptOptions): Acceptor {
  const arrivals = new Set<Arrival>();
  let closed = false;
  // One timer for all: they come in the order in which their time runs out.
  const timetable = createTimetable(options.clock, (now) => {
    for (const arrival of arrivals) {
      if (arrival.deadline > now) return arrival.deadline;
      arrival.timeOut();
    }
    return Number.POSITIVE_INFINITY;
  });
  replaceTlsListener(server, (raw) => {
    if (closed) {
      raw.destroy();
      return;
    }
    const arrival: Arrival = new Arrival(server, raw, options, () => arrivals.delete(arrival));
    arrivals.add(arrival);
    timetable.expect(arrival.deadline);
  });
  return {
    oldestUnderWay() {
      let oldest = Number.POSITIVE_INFINITY;
      for (const { generation } of arrivals) oldest = Math.min(oldest, generation?.number ?? oldest);
      return oldest;
    },
    close() {
      closed = true;
      timetable.close();
      for (const arrival of arrivals) arrival.abandon();
    },
  };
}

function replaceTlsListener(server: Server, listener: (raw: Socket) => void): void {
  // Every TLS server of this process has the very same function; that is how it is told from listeners of users.
  const [nodes] = createServer().listeners("connection");
  if (nodes === undefined || !server.listeners("connection").includes(nodes)) {
    throw new RotationError(
      "ERR_ROTATION_OPTIONS",
      "this is not a TLS server, or it has been given to a rotation before",
    );
  }
  server.off("connection", nodes as (socket: Socket) => void);
  server.prependListener("connection", listener);
}

/** How long a refused client may take to read why. */
const LINGER_MS = 250;

function httpAnswer(demandsCertificate: boolean): string {
  const text = `This port speaks HTTPS: connect with TLS${demandsCertificate ? " and a client certificate" : ""}.\n`;
  return [
    "HTTP/1.1 400 Bad Request",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${text.length}`,
    "Connection: close",
    "",
    text,
  ].join("\r\n");
}

/** One connection from its first octet to the end of its handshake. */
class Arrival {
  generation: Generation | undefined;
  readonly deadline: number;
  readonly #server: Server;
  readonly #raw: Socket;
  readonly #options: AcceptOptions;
  readonly #onDone: () => void;
  readonly #address: string;
  #head: Buffer | undefined;
  #tls: TLSSocket | undefined;
  #rawError: Error | undefined;
  #isSelfCheck = false;
  #established = false;
  #done = false;

  constructor(server: Server, raw: Socket, options: AcceptOptions, onDone: () => void) {
    this.#server = server;
    this.#raw = raw;
    this.#options = options;
    this.#onDone = onDone;
    this.#address = remoteAddress(raw);
    this.deadline = options.clock.now() + options.handshakeTimeoutMs;
    raw.on("error", (error) => {
      this.#rawError = error;
    });
    raw.on("readable", () => this.#onReadable());
    raw.once("close", () => this.#onClose());
    // Half-open servers do not close by themselves when a client leaves without a word.
    if (raw.allowHalfOpen) raw.once("end", () => this.#tls ?? raw.destroy());
  }

  abandon(): void {
    this.#settle();
    this.#raw.destroy();
  }

  timeOut(): void {
    const seconds = this.#options.handshakeTimeoutMs / 1_000;
    const what = this.#head || this.#tls ? "did not finish the handshake" : "sent nothing";
    this.#refuse("handshake_timeout", `the client ${what} within ${seconds} s`);
  }

  // Once TLS has taken over, what arrives goes past the raw socket, so that the listener need not be removed.
  #onReadable(): void {
    if (this.#tls) return;
    const octets: Buffer | null = this.#raw.read();
    // What comes after a refusal is read all the same: a connection closed with octets unread is reset.
    if (octets === null || this.#done) return;
    this.#head = this.#head ? Buffer.concat([this.#head, octets]) : octets;
    const opening = classifyOpening(this.#head);
    if (opening === "tls") this.#shakeHands(this.#head);
    else if (opening === "http") this.#answerHttp();
    else if (opening === "other") {
      this.#refuse("not_tls", `the client does not speak TLS; it began with ${startOf(this.#head)}`);
    }
  }

  // After the TLS socket's 'error', if there is one.
  #onClose(): void {
    if (this.#done) return;
    // Whoever only knocks, such as a TCP health check, has not been refused anything.
    if (this.#head || this.#tls) this.#fail(this.#rawError);
    else this.#settle();
  }

  // The octets read so far are put back, and handed to TLS by the constructor of its socket.
  #shakeHands(head: Buffer): void {
    const server = this.#server as Server & TlsServerInternals;
    const { demandsCertificate } = this.#options;
    this.generation = this.#options.generation();
    const { withdrawn } = this.generation;
    if (withdrawn !== undefined) {
      this.#refuse("identity_withdrawn", `our own identity was withdrawn: ${withdrawn}`);
      return;
    }
    // Known from the start, so that a check that is given up half-way is not taken for a failed client.
    this.#isSelfCheck = this.#options.isSelfCheck(head);
    this.#raw.unshift(head);
    const socket = new TlsSocket(this.#raw, {
      isServer: true,
      server,
      requestCert: demandsCertificate,
      rejectUnauthorized: demandsCertificate,
      secureContext: handshakeContext(this.generation, this.#options),
      ...(server.ALPNProtocols && { ALPNProtocols: server.ALPNProtocols }),
      ...(server.ALPNCallback && { ALPNCallback: server.ALPNCallback }),
      ...(server.pauseOnConnect && { pauseOnConnect: true }),
    });
    this.#tls = socket;
    this.#lingerAfterAlert();
    // The socket's listeners keep this object for as long as the connection lives.
    this.#head = undefined;
    // Stays for good: an 'error' that nobody listens to would end the process.
    socket.on("error", (error) => this.#fail(error));
    socket.once("secure", () => this.#secure(socket));
    if (server.listenerCount("keylog") > 0)
      socket.on("keylog", (line) => server.emit("keylog", line, socket));
  }

  #secure(socket: TLSSocket): void {
    const { generation } = this;
    if (this.#done || !generation) return;
    this.#established = true;
    this.#settle();
    if (this.#isSelfCheck || this.#options.isSelfCheck(socket)) {
      socket.destroySoon();
      return;
    }
    this.#options.onSecure(socket, { address: this.#address, generation });
  }

  #answerHttp(): void {
    this.#report("plain_http", "the client speaks HTTP without TLS");
    const { clock, handshakeTimeoutMs, demandsCertificate } = this.#options;
    const timer = clock.setTimeout(() => this.#raw.destroy(), handshakeTimeoutMs);
    this.#raw.once("close", () => timer.cancel());
    this.#raw.once("end", () => this.#raw.destroySoon());
    this.#raw.end(httpAnswer(demandsCertificate));
  }

  /**
   * A handshake that fails ends with an alert, right behind which Node closes the connection. Whatever the client has
   * sent meanwhile, its request for example, turns that into a reset, and clients then report the reset instead of the
   * alert. So say goodbye first and read on for a moment.
   */
  #lingerAfterAlert(): void {
    const raw = this.#raw;
    const destroy = raw.destroy;
    raw.destroy = (error?: Error): Socket => {
      raw.destroy = destroy;
      if (this.#established) return destroy.call(raw, error);
      raw.end();
      const timer = this.#options.clock.setTimeout(() => destroy.call(raw, error), LINGER_MS);
      raw.once("close", () => timer.cancel());
      return raw;
    };
  }

  #refuse(code: RejectionCode, message: string): void {
    this.#report(code, message);
    (this.#tls ?? this.#raw).destroy();
  }

  #fail(error: Error | undefined): void {
    if (this.#done) return;
    const { code, message } = describeTlsFailure(error);
    this.#report(code, message, error);
  }

  #report(code: RejectionCode, message: string, error?: Error): void {
    if (this.#done) return;
    this.#settle();
    if (this.#isSelfCheck) return;
    this.#options.onFailure({ code, message, address: this.#address });
    if (this.#tls) announceRefusal(this.#server, this.#tls, error ?? new Error(message));
  }

  #settle(): void {
    this.#done = true;
    this.generation = undefined;
    this.#onDone();
  }
}

/** As Node's own server announces it; `https` passes it on as 'clientError'. */
export function announceRefusal(server: Server, socket: TLSSocket, error: Error): void {
  server.emit("tlsClientError", error, socket);
}

// Set by the constructor of tls.Server from its options, and read by its own 'connection' listener.
interface TlsServerInternals {
  readonly ALPNProtocols?: Uint8Array;
  readonly ALPNCallback?: (offer: { servername: string; protocols: string[] }) => string | undefined;
  readonly pauseOnConnect?: boolean;
}

function startOf(head: Buffer): string {
  return `0x${head.subarray(0, 8).toString("hex")}`;
}
