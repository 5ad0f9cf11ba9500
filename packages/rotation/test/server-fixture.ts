import { createPublicKey, type KeyObject } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import {
  type Authority,
  type Certificate,
  createRoot,
  EKU,
  encodeCertificates,
  encodePem,
  generateKey,
  type IssueOptions,
  issueCertificate,
  issueCrl,
} from "@newleaf/x509";
import type { Clock } from "../src/clock.ts";
import type { Generation } from "../src/generation.ts";
import { createIdentityHolder } from "../src/identity-holder.ts";
import type { IdentitySource } from "../src/identity-source.ts";
import type { PeerTrust } from "../src/peer-trust.ts";
import type { Rejection } from "../src/rejection.ts";
import { rotateServer, type ServerConsumerOptions, type ServerRotation } from "../src/server-consumer.ts";
import { serverOptions } from "../src/server-options.ts";

export const HOUR = 3_600_000;

export interface Credentials {
  readonly certificate: Certificate;
  readonly privateKey: KeyObject;
  /** The leaf and what is sent above it. */
  readonly cert: string;
  readonly key: string;
}

export function createAuthority(name = "test", now = Date.now()): Authority {
  return createRoot({
    subject: `CN=${name} root`,
    notBefore: new Date(now - HOUR),
    notAfter: new Date(now + 240 * HOUR),
  });
}

/** A client's credentials, `frontend` for one hour unless said otherwise. */
export function issue(
  authority: Authority,
  options: Partial<IssueOptions> = {},
  chain: readonly Certificate[] = [],
): Credentials {
  const { privateKey } = generateKey();
  const certificate = issueCertificate(authority, createPublicKey(privateKey), {
    subject: "CN=frontend",
    dnsNames: ["frontend"],
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + HOUR),
    extendedKeyUsage: [EKU.clientAuth],
    ...options,
  });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { certificate, privateKey, cert: encodeCertificates([certificate, ...chain]), key };
}

export interface Update {
  readonly leaf?: Credentials;
  readonly trust?: readonly Certificate[];
  readonly crls?: readonly string[];
  readonly peerTrust?: PeerTrust;
  readonly now?: number;
}

export interface TestIdentity {
  readonly source: IdentitySource;
  readonly authority: Authority;
  /** The next generation: a new leaf unless given, the same trust and lists unless given. */
  rotate(update?: Update): Generation;
  withdraw(reason: string): void;
}

export function createIdentity(
  options: { authority?: Authority; clock?: Clock } & Update = {},
): TestIdentity {
  const { authority = createAuthority() } = options;
  const holder = createIdentityHolder(options.clock ? { clock: options.clock } : {});
  let trust = options.trust ?? [authority.certificate];
  let { crls, peerTrust } = options;
  const rotate = (update: Update = {}): Generation => {
    trust = update.trust ?? trust;
    crls = update.crls ?? crls;
    peerTrust = update.peerTrust ?? peerTrust;
    const leaf = update.leaf ?? issueServer(authority, update.now ?? options.clock?.now());
    const result = holder.offer({
      certificates: leaf.cert,
      key: leaf.key,
      trust,
      ...(crls && { crls: crls.join("") }),
      ...(peerTrust && { peerTrust }),
    });
    if (result.outcome === "refused") throw new Error(result.refusal.message);
    return result.generation;
  };
  rotate(options);
  return {
    source: holder.asSource({ reload: async () => {}, close: async () => {} }),
    authority,
    rotate,
    withdraw: (reason) => holder.withdraw(reason),
  };
}

export function issueServer(
  authority: Authority,
  now: number = Date.now(),
  lifeMs: number = HOUR,
): Credentials {
  return issue(authority, {
    subject: "CN=backend",
    dnsNames: ["localhost"],
    ips: ["127.0.0.1", "::1"],
    extendedKeyUsage: [EKU.serverAuth, EKU.clientAuth],
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + lifeMs),
  });
}

export function crl(authority: Authority, revoked: readonly Certificate[], number: number): string {
  const list = issueCrl(authority, {
    revoked: revoked.map(({ serialNumber }) => ({ serialNumber, date: new Date() })),
    thisUpdate: new Date(Date.now() - 60_000),
    nextUpdate: new Date(Date.now() + HOUR),
    number,
  });
  return encodePem("X509 CRL", list.der);
}

type Kind = "https" | "http2" | "tls";

export interface TestServer extends AsyncDisposable {
  readonly server: tls.Server;
  readonly port: number;
  readonly url: string;
  readonly rotation: ServerRotation;
  readonly rejections: readonly Rejection[];
  /** The first rejection, or the first from now on that has this code. */
  rejected(code?: string): Promise<Rejection>;
}

/** A rotating server that listens on loopback, and what it refused. */
export async function startServer(
  source: IdentitySource,
  options: Partial<ServerConsumerOptions> & {
    readonly kind?: Kind;
    readonly handler?: (...args: never[]) => void;
    readonly configure?: (server: tls.Server) => void;
    readonly serverOptions?: object;
  } = {},
): Promise<TestServer> {
  const { kind = "https", handler, configure, serverOptions: extra, ...consumer } = options;
  const { clientCertificates = "required" } = consumer;
  const context = serverOptions(source, { clientCertificates });
  const server = createServer(kind, { ...context, ...extra }, handler as never);
  const rejections: Rejection[] = [];
  const waiting: { code: string | undefined; resolve: (rejection: Rejection) => void }[] = [];
  const rotation = rotateServer(server, source, {
    ...(clientCertificates === "required" && { authorize: () => true }),
    drainJitterMs: 0,
    ...consumer,
    onRejection: (rejection: Rejection) => {
      rejections.push(rejection);
      for (const waiter of waiting.splice(0)) {
        if (waiter.code === undefined || waiter.code === rejection.code) waiter.resolve(rejection);
        else waiting.push(waiter);
      }
    },
  } as ServerConsumerOptions);
  configure?.(server);
  const sockets = new Set<tls.TLSSocket>();
  server.on("secureConnection", (socket: tls.TLSSocket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    url: `https://127.0.0.1:${port}`,
    rotation,
    rejections,
    rejected: (code) => {
      const known = rejections.find((rejection) => code === undefined || rejection.code === code);
      if (known) return Promise.resolve(known);
      return within(
        5_000,
        `no rejection ${code ?? ""}`,
        new Promise((resolve) => waiting.push({ code, resolve })),
      );
    },
    async [Symbol.asyncDispose]() {
      const closed = server.listening ? once(server, "close") : undefined;
      server.close();
      for (const socket of sockets) socket.destroy();
      await rotation[Symbol.asyncDispose]();
      await closed;
    },
  };
}

function createServer(kind: Kind, options: tls.TlsOptions, handler: never): tls.Server {
  if (kind === "tls") return tls.createServer(options, handler);
  return kind === "https" ? https.createServer(options, handler) : http2.createSecureServer(options, handler);
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: import("node:http").IncomingHttpHeaders;
  /** The certificate the server showed; nothing on a resumed connection or a reused one. */
  readonly serverSerial: string | undefined;
}

/** One GET. A fresh connection unless the options bring an agent. */
export function get(port: number, options: https.RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.get(
      { port, host: "127.0.0.1", rejectUnauthorized: false, agent: false, ...options },
      (response) => {
        const serial = (response.socket as tls.TLSSocket).getPeerCertificate().serialNumber;
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text) => {
          body += text;
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body,
            headers: response.headers,
            serverSerial: serial,
          }),
        );
      },
    );
    request.on("error", reject);
  });
}

/** The error code that a GET ends with. */
export async function failure(port: number, options: https.RequestOptions = {}): Promise<string> {
  try {
    await get(port, options);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
  return "none";
}

export function within<T>(ms: number, message: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${message} within ${ms} ms`)), ms);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}

/** Resolves on 'close', with or without an error before it. */
export function closeOf(emitter: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => void emitter.once("close", () => resolve()));
}
