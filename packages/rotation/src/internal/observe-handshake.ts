import { connect, type Socket } from "node:net";
import * as tls from "node:tls";
import { type Certificate, encodeCertificates, parseCertificate, X509Error } from "@newleaf/x509";
import type { Generation } from "../generation.ts";
import { requestPostgresTls } from "./postgres-ssl-request.ts";
import type { ServedTarget } from "./served-target.ts";

/** What a server showed of itself. */
export interface Handshake {
  readonly leaf: Certificate;
  readonly chain: readonly Certificate[];
  readonly protocol: string;
  /** How the server ended it when it did not want to go on, such as for want of a client certificate. */
  readonly refusal: string | undefined;
  readonly durationMs: number;
}

export interface HandshakeOptions {
  readonly client: Generation | undefined;
  readonly servername: string | undefined;
  readonly signal: AbortSignal;
}

const LONGEST_CHAIN = 32;
const LINGER_MS = 250;

/** Opens a connection, notes the certificates and closes it. Trusts nothing and sends nothing but TLS. */
export async function observeHandshake(target: ServedTarget, options: HandshakeOptions): Promise<Handshake> {
  const started = performance.now();
  const socket = connect(target.address);
  // Listens to the very end: an alert can come after the answer is known, and must not crash the process.
  socket.on("error", () => {});
  const onAbort = (): void => void socket.destroy();
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    options.signal.throwIfAborted();
    await settled(socket, "connect");
    if (target.protocol === "postgres") await requestPostgresTls(socket);
    return await shakeHands(socket, target, options, started);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

async function shakeHands(
  socket: Socket,
  target: ServedTarget,
  options: HandshakeOptions,
  started: number,
): Promise<Handshake> {
  const servername = options.servername ?? target.servername;
  const secure = tls.connect({
    socket,
    secureContext: contextFor(options.client),
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(servername === undefined ? {} : { servername }),
    ...(target.protocol === "https" ? { ALPNProtocols: ["h2", "http/1.1"] } : {}),
  });
  // With TLS 1.2 a server that wants a certificate ends the handshake after having shown its own. Only octets are
  // kept here: parsing may throw, and nobody catches what an event listener throws.
  let refusal: string | undefined;
  let shownAtError: Shown | undefined;
  secure.on("error", (error) => {
    refusal ??= error.message;
    shownAtError ??= whatIsShown(secure);
  });
  try {
    const shown = await settled(secure, "secureConnect").then(
      () => whatIsShown(secure),
      (error: unknown) => {
        if (shownAtError && shownAtError.octets.length > 0) return shownAtError;
        throw error;
      },
    );
    const durationMs = performance.now() - started;
    await farewell(secure);
    return { ...parsed(shown), protocol: shown.protocol, refusal, durationMs };
  } finally {
    secure.destroy();
  }
}

interface Shown {
  readonly octets: readonly Buffer[];
  readonly protocol: string;
}

function whatIsShown(secure: tls.TLSSocket): Shown {
  const octets: Buffer[] = [];
  let next: tls.DetailedPeerCertificate | undefined = secure.getPeerCertificate(true);
  while (next?.raw && octets.length < LONGEST_CHAIN) {
    const { raw }: tls.DetailedPeerCertificate = next;
    if (octets.some((known) => known.equals(raw))) break;
    octets.push(raw);
    next = next.issuerCertificate;
  }
  return { octets, protocol: secure.getProtocol() ?? "unknown" };
}

/** A leaf that cannot be parsed throws; what is above it is left out then, since a path does not need all of it. */
function parsed({ octets: [leaf, ...chain] }: Shown): { leaf: Certificate; chain: readonly Certificate[] } {
  if (!leaf) throw new Error("the server showed no certificate");
  return {
    leaf: parseCertificate(leaf),
    chain: chain.flatMap((der) => {
      try {
        return [parseCertificate(der)];
      } catch (error) {
        if (error instanceof X509Error) return [];
        throw error;
      }
    }),
  };
}

/** Closes as a good peer does, so that the server logs no reset, and hears an alert that is still to come. */
async function farewell(secure: tls.TLSSocket): Promise<void> {
  if (secure.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    secure.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    secure.resume();
    secure.end();
  });
}

function settled(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      socket.off(event, onEvent).off("error", finish).off("close", onClose);
      if (error) reject(error);
      else resolve();
    };
    const onEvent = (): void => finish();
    const onClose = (): void =>
      finish(new Error("the server closed the connection before the handshake was done"));
    socket.once(event, onEvent).once("error", finish).once("close", onClose);
  });
}

const contexts = new WeakMap<Generation, tls.SecureContext>();
let anonymous: tls.SecureContext | undefined;

// An empty store, not the default one: Node completes the chain it shows from the store, and the chain is wanted as
// it was sent. TLS 1.2 because this looks at other people's servers; curves and ciphers stay open for the same reason.
function contextFor(client: Generation | undefined): tls.SecureContext {
  if (!client) {
    anonymous ??= tls.createSecureContext({ ca: [], minVersion: "TLSv1.2" });
    return anonymous;
  }
  const known = contexts.get(client);
  if (known) return known;
  const context = tls.createSecureContext({
    ca: [],
    cert: encodeCertificates([client.leaf, ...client.chain]),
    key: client.key.export({ type: "pkcs8", format: "pem" }),
    minVersion: "TLSv1.2",
  });
  contexts.set(client, context);
  return context;
}
