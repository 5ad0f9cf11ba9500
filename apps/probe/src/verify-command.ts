import {
  type CommandContext,
  defineCommand,
  delay,
  duration,
  type ExitCode,
  jsonOption,
  type LeafCommand,
  z,
} from "@newleaf/daemon";
import { identityLocationHelp } from "@newleaf/observe";
import { RotationError } from "@newleaf/rotation";
import { watchCertificates } from "./identity-options.ts";
import { renderChange, renderVerify, verifyFacts } from "./render-verify.ts";
import {
  expandTargets,
  loadTrust,
  type VerifyOptions,
  type VerifyResult,
  verifyTarget,
} from "./verify-targets.ts";

/** `newleaf verify TARGET…`: served against stored. */
export const verifyCommand: LeafCommand = defineCommand({
  name: "verify",
  summary: "compare the certificate that is served with the one that is stored",
  description:
    "Opens one real handshake with each target (each address behind its name) and compares. Exits 0 only if every " +
    "target serves exactly what is stored in --certs, with a valid chain. Without --certs it reports what is served.",
  examples: [
    { command: "newleaf verify backend:8443 --certs /etc/tls", note: "a TLS port" },
    {
      command: "newleaf verify postgres://db --certs /etc/pg-tls --watch",
      note: "PostgreSQL, until stopped",
    },
  ],
  arguments: {
    targets: {
      placeholder: "<target...>",
      description: "https://HOST[:PORT], tls://HOST:PORT, HOST:PORT, postgres://HOST[:PORT] or unix:/PATH",
      schema: z.array(z.string().min(1)).min(1),
    },
  },
  options: {
    certs: {
      flag: "--certs <dir|address>",
      description: `what is stored: ${identityLocationHelp}`,
      schema: z.string().min(1).optional(),
    },
    ca: {
      flag: "--ca <path>",
      description: "bundle to validate the served chain with, instead of the one in --certs",
      schema: z.string().min(1).optional(),
    },
    serverName: {
      flag: "--server-name <name>",
      description: "name to ask for (SNI) instead of the target's host",
      schema: z.string().min(1).optional(),
    },
    timeout: {
      flag: "--timeout <duration>",
      description: "for each handshake",
      schema: duration({ min: "1ms", max: "1h" }),
      default: "5s",
    },
    within: {
      flag: "--within <duration>",
      description: "how long a fresh update may take to be served",
      schema: duration(),
      default: "1s",
    },
    watch: {
      flag: "--watch",
      description: "go on, and print a line whenever something changes; exits by the last state",
      schema: z.boolean(),
      default: false,
    },
    every: {
      flag: "--every <duration>",
      description: "with --watch: pause between two looks",
      schema: duration({ min: "100ms" }),
      default: "5s",
    },
    json: jsonOption,
  },
  async run(config, context) {
    const { signal, logger } = context;
    const targets = await expandTargets(config.targets);
    let unusable: string | undefined;
    const source =
      config.certs === undefined
        ? undefined
        : await watchCertificates(config.certs, {
            signal,
            logger,
            waitMs: Math.min(config.timeout, LONGEST_LOOK_MS),
          }).catch((error: unknown) => {
            // What is stored cannot be served; what is served is all the more worth knowing.
            if (config.watch || !isNoIdentity(error)) throw error;
            unusable = error.message;
            return undefined;
          });
    try {
      const options: VerifyOptions = {
        ...(source ? { source } : {}),
        ...(config.ca === undefined ? {} : { trust: await loadTrust(config.ca) }),
        ...(config.serverName === undefined ? {} : { servername: config.serverName }),
        timeoutMs: config.timeout,
        withinMs: source ? config.within : 0,
        signal,
      };
      const verify = (): Promise<VerifyResult[]> =>
        Promise.all(targets.map((target) => verifyTarget(target, options)));
      return config.watch
        ? await watch(verify, config, context)
        : report(await verify(), unusable, config.json, context);
    } finally {
      await source?.[Symbol.asyncDispose]();
    }
  },
});

/** A pair that is still being written has settled by then, one way or the other. */
const LONGEST_LOOK_MS = 3_000;

function isNoIdentity(error: unknown): error is RotationError {
  return error instanceof RotationError && error.code === "ERR_ROTATION_NO_IDENTITY";
}

function report(
  results: readonly VerifyResult[],
  unusable: string | undefined,
  json: boolean,
  { stdout, style }: CommandContext,
): ExitCode {
  const ok = unusable === undefined && results.every((result) => result.ok);
  const stored = unusable === undefined ? {} : { stored: { error: unusable } };
  const text = json
    ? JSON.stringify({ ok, ...stored, targets: results.map((result) => verifyFacts(result)) }, undefined, 2)
    : renderVerify(results, style, new Date());
  if (unusable !== undefined && !json) stdout.write(`${style.red("stored")}: ${unusable}\n`);
  stdout.write(`${text}\n`);
  return ok ? 0 : 1;
}

async function watch(
  verify: () => Promise<VerifyResult[]>,
  { every, json }: { readonly every: number; readonly json: boolean },
  { stdout, style, signal }: CommandContext,
): Promise<ExitCode> {
  const last = new Map<string, string>();
  let ok = true;
  while (!signal.aborted) {
    const results = await verify().catch((error: unknown) => {
      if (signal.aborted) return [];
      throw error;
    });
    for (const result of results) {
      const state = `${result.report.verdict} ${result.ok} ${result.report.served?.leaf.sha256}`;
      if (last.get(result.report.target) === state) continue;
      last.set(result.report.target, state);
      const line = json
        ? JSON.stringify({ at: new Date(), ...verifyFacts(result) })
        : renderChange(result, style, new Date());
      stdout.write(`${line}\n`);
    }
    if (results.length > 0) ok = results.every((result) => result.ok);
    await delay(every, signal).catch(() => undefined);
  }
  return ok ? 0 : 1;
}
