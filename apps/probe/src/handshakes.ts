import { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import { formatName, parseCertificate } from "@newleaf/x509";
import { type Attempt, attemptOctets } from "./attempt.ts";
import type { RogueMeans } from "./rogue-means.ts";
import type { ProbeTarget } from "./target-url.ts";

/** The name of the authority that signed the peer's own certificate: usually the one that it asks clients for. */
export async function serverIssuerName({ target, timeoutMs }: RogueMeans): Promise<string> {
  const fallback = "CN=somebody else";
  return new Promise((resolve) => {
    const socket = tlsConnect({ ...addressOf(target), rejectUnauthorized: false, timeout: timeoutMs }, () => {
      const raw = socket.getPeerX509Certificate()?.raw;
      resolve(raw ? formatName(parseCertificate(raw).issuer) : fallback);
      socket.destroy();
    });
    const giveUp = (): void => {
      resolve(fallback);
      socket.destroy();
    };
    socket.once("error", giveUp).once("close", giveUp).once("timeout", giveUp);
  });
}

/** Servers commonly give a handshake 5 to 10 s. */
const LONGEST_HANDSHAKE_MS = 15_000;

/** Sends a real ClientHello and then nothing more. */
export async function attemptUnfinished({ target, signal, ...means }: RogueMeans): Promise<Attempt> {
  const patienceMs = means.handshakeMs ?? Math.max(means.timeoutMs, LONGEST_HANDSHAKE_MS);
  const hello = await clientHello(target);
  const attempt = await attemptOctets(target, hello, { timeoutMs: patienceMs, signal });
  // What came back is the server's half of the handshake, not an answer to a request.
  if (attempt.outcome.kind !== "served") return attempt;
  const stillOpen = attempt.durationMs >= patienceMs;
  return {
    ...attempt,
    outcome: stillOpen
      ? { kind: "held", detail: "still open at our deadline" }
      : { kind: "closed", detail: `closed after ${Math.round(attempt.durationMs)} ms` },
  };
}

/** The first flight of a TLS client, taken from one that talks to nobody. */
function clientHello(target: ProbeTarget): Promise<Buffer> {
  return new Promise((resolve) => {
    const nobody = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, callback) {
        resolve(chunk);
        callback();
      },
    });
    const client = tlsConnect({
      socket: nobody,
      ...(target.servername ? { servername: target.servername } : {}),
    });
    client.once("error", () => undefined);
    client.once("close", () => nobody.destroy());
    void Promise.resolve().then(() => setImmediate(() => client.destroy()));
  });
}

function addressOf({ host, port, servername }: ProbeTarget): {
  host: string;
  port: number;
  servername?: string;
} {
  return { host, port, ...(servername ? { servername } : {}) };
}
