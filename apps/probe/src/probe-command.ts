import { defineCommand, duration, jsonOption, type LeafCommand, wholeNumber, z } from "@newleaf/daemon";
import { identityLocationHelp } from "@newleaf/observe";
import { expectDns, expectUri } from "./expected-server.ts";
import { runFrontend } from "./run-frontend.ts";
import { runRogue } from "./run-rogue.ts";
import { parseProbeTarget } from "./target-url.ts";

/** `newleaf probe URL`: the seed's frontend, legacy application and rogue pod, each made into a check. */
export const probeCommand: LeafCommand = defineCommand({
  name: "probe",
  summary: "ask a service over mTLS again and again, or try everything that it must refuse",
  description:
    "Prints one line for each request and one for each rotation, ours and the server's, and a summary at the end; " +
    "exits 1 when more requests failed than --max-failures. --rogue tries the refusal matrix once instead, and " +
    "exits 1 if anything was let in. --legacy reads the certificate once and keeps it, as the contrast.",
  examples: [
    {
      command: "newleaf probe https://backend:8443 --certs /etc/tls --for 10m",
      note: "ten minutes, no failure allowed",
    },
    {
      command: "newleaf probe https://backend:8443 --certs /etc/tls --rogue --ca ./ca",
      note: "the refusal matrix",
    },
  ],
  longRunning: { admin: "off" },
  arguments: { url: { placeholder: "<url>", description: "https://HOST[:PORT][/PATH]", schema: z.string() } },
  options: {
    certs: {
      flag: "--certs <dir|address>",
      description: `${identityLocationHelp}; only --rogue can do without`,
      schema: z.string().min(1).optional(),
    },
    every: {
      flag: "--every <duration>",
      description: "pause between requests",
      schema: duration(),
      default: "5s",
    },
    for: {
      flag: "--for <duration>",
      description: "how long; until stopped by default",
      schema: duration().optional(),
    },
    concurrency: {
      flag: "--concurrency <n>",
      description: "requests side by side, each at --every",
      schema: wholeNumber({ min: 1, max: 10_000 }),
      default: "1",
    },
    timeout: {
      flag: "--timeout <duration>",
      description: "for each request",
      schema: duration({ min: "1ms", max: "1h" }),
      default: "5s",
    },
    keepAlive: {
      flag: "--keep-alive",
      description: "reuse connections instead of a handshake for each request",
      schema: z.boolean(),
      default: false,
    },
    expectDns: {
      flag: "--expect-dns <name>",
      description: "DNS name the server must have instead of the URL's host",
      schema: expectDns,
      repeatable: true,
    },
    expectUri: {
      flag: "--expect-uri <uri>",
      description: "URI name (SPIFFE ID) the server must have instead of the URL's host",
      schema: expectUri,
      repeatable: true,
    },
    maxFailures: {
      flag: "--max-failures <n>",
      description: "failed requests that are still no failure of the check",
      schema: wholeNumber({ min: 0, max: 1_000_000_000 }),
      default: "0",
    },
    legacy: {
      flag: "--legacy",
      description: "read the certificate once and never again",
      schema: z.boolean(),
      default: false,
    },
    rogue: {
      flag: "--rogue",
      description: "try the refusal matrix once",
      schema: z.boolean(),
      default: false,
    },
    ca: {
      flag: "--ca <dir>",
      description: "with --rogue: the authority the server trusts (ca.crt, ca.key), to sign bad certificates",
      schema: z.string().min(1).optional(),
    },
    revoked: {
      flag: "--revoked <dir>",
      description: "with --rogue: a revoked certificate of that authority (tls.crt, tls.key)",
      schema: z.string().min(1).optional(),
    },
    json: jsonOption,
  },
  async run(config, context) {
    const target = parseProbeTarget(config.url);
    return config.rogue ? runRogue(target, config, context) : runFrontend(target, config, context);
  },
});
