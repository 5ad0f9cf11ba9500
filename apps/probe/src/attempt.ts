import { type Socket, connect as tcpConnect } from "node:net";
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { failureReason } from "./failure-reason.ts";
import type { ProbeTarget } from "./target-url.ts";

/**
 * How the peer answered one attempt:
 * - `alert`, `closed`, `reset`: refused, in this form
 * - `http_refused`: refused with an HTTP status (400, 401, 403, 421 and nginx's 495-497)
 * - `served`: let in, an answer came
 * - `held`: nothing came and the connection stayed open until our deadline
 * - `unreachable`: no connection at all, so nothing was tried
 */
export type Outcome =
  | { readonly kind: "alert"; readonly detail: string }
  | { readonly kind: "closed" | "reset" | "held"; readonly detail: string }
  | { readonly kind: "http_refused" | "served"; readonly detail: string; readonly status: number | undefined }
  | { readonly kind: "unreachable"; readonly detail: string };

export interface Attempt {
  readonly outcome: Outcome;
  readonly durationMs: number;
  /** A session ticket that the server gave, for a later attempt to resume. */
  readonly session?: Buffer;
}

export interface AttemptOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A TLS handshake with these options, then one HTTP request. The server's own certificate is not judged. */
export function attemptRequest(
  target: ProbeTarget,
  tls: ConnectionOptions,
  options: AttemptOptions,
): Promise<Attempt> {
  const socket = tlsConnect({
    host: target.host,
    port: target.port,
    ...(target.servername ? { servername: target.servername } : {}),
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: false,
    ...tls,
  });
  socket.once("secureConnect", () => socket.write(requestText(target)));
  return observe(socket, options);
}

/** Octets of any kind on a plain connection; none for a peer that never says anything. */
export function attemptOctets(
  target: ProbeTarget,
  octets: string | Uint8Array,
  options: AttemptOptions,
): Promise<Attempt> {
  const socket = tcpConnect({ host: target.host, port: target.port });
  socket.once("connect", () => {
    if (octets.length > 0) socket.write(octets);
  });
  return observe(socket, options);
}

/** The request that a plain client would send to the wrong port. */
export function requestText(target: ProbeTarget): string {
  return `GET ${target.path} HTTP/1.1\r\nHost: ${target.authority}\r\nUser-Agent: newleaf-probe\r\nConnection: close\r\n\r\n`;
}

function observe(socket: Socket | TLSSocket, options: AttemptOptions): Promise<Attempt> {
  const started = performance.now();
  let connected = false;
  let received = Buffer.alloc(0);
  let session: Buffer | undefined;
  return new Promise((resolve) => {
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
      socket.destroy();
      resolve({ outcome, durationMs: performance.now() - started, ...(session ? { session } : {}) });
    };
    const onDeadline = (): void => settle(connected ? held(received) : unreachable("no connection in time"));
    const onAbort = (): void => settle(unreachable("interrupted"));
    const timer = setTimeout(onDeadline, options.timeoutMs);
    options.signal?.addEventListener("abort", onAbort, { once: true });

    socket.once("connect", () => {
      connected = true;
    });
    socket.on("session", (ticket: Buffer) => {
      session = ticket;
    });
    socket.on("data", (chunk: Buffer) => {
      if (received.length < 4_096) received = Buffer.concat([received, chunk]);
    });
    socket.on("error", (error) => settle(connected ? failed(error, received) : unreachable(error.message)));
    socket.once("end", () => settle(ended(received)));
    socket.once("close", () => settle(ended(received)));
  });
}

function failed(error: Error, received: Buffer): Outcome {
  if (received.length > 0) return ended(received);
  const { reason, message } = failureReason(error);
  if (reason.startsWith("alert_")) return { kind: "alert", detail: reason.slice("alert_".length) };
  if (reason === "closed") return { kind: "closed", detail: "closed during the handshake" };
  return { kind: "reset", detail: reason === "reset" ? "connection reset" : message };
}

function ended(received: Buffer): Outcome {
  if (received.length === 0) return { kind: "closed", detail: "closed without a word" };
  const alert = plainAlert(received);
  if (alert !== undefined) return { kind: "alert", detail: alert };
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(received.toString("latin1"))?.[1] ?? Number.NaN);
  if (Number.isNaN(status))
    return { kind: "served", status: undefined, detail: "answered something else than HTTP" };
  const kind = REFUSALS.has(status) ? "http_refused" : "served";
  return { kind, status, detail: `HTTP ${status}` };
}

const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403, 421, 495, 496, 497]);

function held(received: Buffer): Outcome {
  return received.length > 0 ? ended(received) : { kind: "held", detail: "still open at our deadline" };
}

function unreachable(detail: string): Outcome {
  return { kind: "unreachable", detail };
}

/** A TLS alert record (RFC 8446 section 5.1) read from a plain connection. */
function plainAlert(octets: Buffer): string | undefined {
  if (octets.length < 7 || octets[0] !== 21 || octets[1] !== 3) return undefined;
  return ALERTS[octets[6] ?? -1] ?? `alert ${octets[6]}`;
}

const ALERTS: Readonly<Record<number, string>> = {
  0: "close_notify",
  10: "unexpected_message",
  22: "record_overflow",
  40: "handshake_failure",
  47: "illegal_parameter",
  50: "decode_error",
  70: "protocol_version",
  80: "internal_error",
};
