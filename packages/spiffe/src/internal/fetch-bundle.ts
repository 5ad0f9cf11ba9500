import http from "node:http";
import { isIP } from "node:net";
import tls from "node:tls";
import { SpiffeError } from "../error.ts";

/** How an endpoint proves who it is. */
export interface EndpointAuthentication {
  readonly tls: Pick<tls.ConnectionOptions, "ca" | "rejectUnauthorized">;
  /** Why the other side is not the endpoint, asked when the handshake is done and before anything is sent. */
  readonly objection: (socket: tls.TLSSocket) => string | undefined;
}

export interface FetchBundleOptions {
  readonly authentication: EndpointAuthentication;
  readonly maxBytes: number;
  /** Ends the attempt at once. */
  readonly signal: AbortSignal;
}

const MAX_REDIRECTS = 3;

/**
 * One GET of a bundle document over a new, authenticated connection. Redirects are followed at most three times and
 * to the same host and port only, each time over a connection that is authenticated anew. Throws
 * ERR_SPIFFE_FEDERATION, or the signal's reason.
 */
export async function fetchBundle(url: URL, options: FetchBundleOptions): Promise<Uint8Array> {
  let target = url;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const answer = await attempt(target, options);
    if ("body" in answer) return answer.body;
    target = redirectTarget(answer.location, target);
  }
  throw failed(url, `more than ${MAX_REDIRECTS} redirects`);
}

/** Federation sections 5.2.1.1 and 5.2.2.1: https, and no userinfo. Undefined when it is something else. */
export function parseEndpointUrl(text: string, base?: URL): URL | undefined {
  const url = URL.canParse(text, base?.href) ? new URL(text, base?.href) : undefined;
  if (url?.protocol !== "https:" || url.username !== "" || url.password !== "") return undefined;
  url.hash = "";
  return url;
}

export function failed(url: URL, why: string, options?: ErrorOptions): SpiffeError {
  // Without the query, which may be a secret.
  const where = `${url.origin}${url.pathname}`;
  return new SpiffeError("ERR_SPIFFE_FEDERATION", `bundle endpoint ${where}: ${why}`, options);
}

type Answer = { readonly body: Uint8Array } | { readonly location: string };

async function attempt(url: URL, options: FetchBundleOptions): Promise<Answer> {
  const { signal, authentication, maxBytes } = options;
  signal.throwIfAborted();
  const socket = connect(url, authentication);
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await secured(socket);
    const objection = authentication.objection(socket);
    if (objection !== undefined) throw failed(url, `it is not whom it should be: ${objection}`);
    return await readAnswer(url, await get(url, socket), maxBytes);
  } catch (error) {
    if (error instanceof SpiffeError) throw error;
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw failed(url, why, { cause: error });
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

function connect(url: URL, authentication: EndpointAuthentication): tls.TLSSocket {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return tls.connect({
    ...authentication.tls,
    host,
    port: url.port === "" ? 443 : Number(url.port),
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: ["http/1.1"],
    minVersion: "TLSv1.2",
  });
}

function secured(socket: tls.TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    // Stays, so that what comes after an abort is not thrown.
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed")));
  });
}

function get(url: URL, socket: tls.TLSSocket): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        createConnection: () => socket,
        path: url.pathname + url.search,
        setHost: false,
        headers: {
          host: url.host,
          accept: "application/json",
          "accept-encoding": "identity",
          connection: "close",
        },
      },
      resolve,
    );
    request.on("error", reject);
    request.end();
  });
}

async function readAnswer(url: URL, response: http.IncomingMessage, maxBytes: number): Promise<Answer> {
  const { statusCode = 0, headers } = response;
  if (REDIRECTS.has(statusCode) && headers.location !== undefined) return { location: headers.location };
  if (statusCode !== 200) throw failed(url, `HTTP status ${statusCode}`);
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") throw failed(url, "the answer is encoded, which was not asked for");
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBytes) throw failed(url, `the answer has more than ${maxBytes} octets`);
    chunks.push(chunk);
  }
  return { body: Buffer.concat(chunks) };
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function redirectTarget(location: string, from: URL): URL {
  const target = parseEndpointUrl(location, from);
  if (target?.host === from.host) return target;
  throw failed(from, target === undefined ? "redirect to what is no endpoint" : "redirect to another host");
}
