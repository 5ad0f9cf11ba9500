import { request } from "node:https";
import { delay } from "@newleaf/daemon";
import {
  type Generation,
  parseTarget,
  resolveTarget,
  type ServedReport,
  type ServedTarget,
  verifyServed,
} from "@newleaf/rotation";
import { type Certificate, createRoot } from "@newleaf/x509";
import type { ServedLeaf, TargetFacts, Unreached } from "../facts.ts";

export interface LookAtTargetOptions {
  readonly stored: Certificate | undefined;
  readonly client: Generation | undefined;
  readonly servername: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Every address behind a target, each by one real handshake. */
export async function lookAtTarget(
  text: string,
  options: LookAtTargetOptions,
): Promise<readonly TargetFacts[]> {
  const target = parseTarget(text);
  const resolving = resolveTarget(target);
  const waiting = new AbortController();
  const late = delay(options.timeoutMs, AbortSignal.any([options.signal, waiting.signal])).then(() => {
    throw new Error("the name was not resolved in time");
  });
  resolving.catch(() => {});
  try {
    const addresses = await Promise.race([resolving, late]);
    return await Promise.all(addresses.map((address) => lookAtAddress(text, address, options)));
  } catch (error) {
    options.signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    const { name, protocol } = target;
    return [{ name, protocol, unreached: { reason: "name_not_found", message } }];
  } finally {
    late.catch(() => {});
    waiting.abort();
  }
}

async function lookAtAddress(
  text: string,
  target: ServedTarget,
  options: LookAtTargetOptions,
): Promise<TargetFacts> {
  const { stored, client, servername, timeoutMs, signal } = options;
  const report = await verifyServed(target, stored ?? nobody(), {
    ...(client ? { client } : {}),
    ...(servername === undefined ? {} : { servername }),
    timeoutMs,
    signal,
  });
  const { name, protocol } = target;
  if (!report.served) return { name, protocol, unreached: classify(report.message ?? "") };
  const served = servedLeaf(report, stored !== undefined);
  const http = protocol === "https" ? await ask(text, target, options) : undefined;
  return { name, protocol, served, ...(http === undefined ? {} : { http }) };
}

function servedLeaf({ served, verdict, message }: ServedReport, compared: boolean): ServedLeaf {
  if (!served) throw new TypeError("nothing was served");
  const refusal = /the server then refused the client: (.*)$/s.exec(message ?? "")?.[1];
  return {
    leaf: served.leaf,
    chain: served.chain,
    ...(compared && verdict !== "unreachable" ? { against: verdict } : {}),
    ...(refusal === undefined ? {} : { refusal: withoutSource(refusal) }),
  };
}

/** Why no certificate was seen, by what `verifyServed` says. */
export function classify(message: string): Unreached {
  const reasons: readonly (readonly [RegExp, Unreached["reason"]])[] = [
    [/ECONNREFUSED|ENOENT/, "nothing_listens"],
    [/ENOTFOUND|EAI_/, "name_not_found"],
    [/not done within|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, "no_answer"],
    [
      /ssl is off|does not speak the PostgreSQL protocol|wrong version number|packet length too long/i,
      "no_tls",
    ],
  ];
  const reason = reasons.find(([pattern]) => pattern.test(message))?.[1] ?? "no_handshake";
  return { reason, message: withoutSource(message) };
}

/** OpenSSL's errors carry a thread id, a file and a line of its own source; the words are in the middle. */
function withoutSource(text: string): string {
  return text.replaceAll(/[0-9A-F]{8,}:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):\S+:\d+:[^;\n]*\n?/g, "$1").trim();
}

/** One GET, for the question whether it is the service that fails; what is served was judged before. */
function ask(
  text: string,
  target: ServedTarget,
  { client, timeoutMs, signal }: LookAtTargetOptions,
): Promise<TargetFacts["http"]> {
  if (!("host" in target.address)) return Promise.resolve(undefined);
  const url = new URL(text);
  const late = AbortSignal.timeout(timeoutMs);
  const asked = request({
    ...target.address,
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host },
    agent: false,
    rejectUnauthorized: false,
    ...(target.servername === undefined ? {} : { servername: target.servername }),
    ...(client ? { secureContext: client.secureContext } : { minVersion: "TLSv1.2" }),
    signal: AbortSignal.any([signal, late]),
  });
  return new Promise((resolve) => {
    asked.on("error", (error: NodeJS.ErrnoException) => {
      if (late.aborted) resolve({ failure: "late" });
      else resolve(error.code === "ECONNRESET" ? { failure: "closed" } : undefined);
    });
    asked.on("response", (response) => {
      resolve(response.statusCode === undefined ? undefined : { status: response.statusCode });
      response.destroy();
    });
    asked.end();
  });
}

let nothing: Certificate | undefined;

/** Stands for "nothing is stored": never equal to what anyone serves. */
function nobody(): Certificate {
  nothing ??= createRoot({
    subject: "CN=nothing stored",
    notAfter: new Date(Date.now() + 60_000),
  }).certificate;
  return nothing;
}
