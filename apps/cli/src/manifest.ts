import type { Command } from "@newleaf/daemon";
import type { CommandEntry } from "@newleaf/daemon/program";

/**
 * Every command with what the listing says about it. The programs behind them are imported only when one of
 * their commands runs; a test keeps these lines equal to theirs.
 */
export const manifest: readonly CommandEntry[] = [
  entry(
    "proxy",
    "mTLS with rotating certificates for services and clients that have none",
    () => import("@newleaf/proxy"),
  ),
  entry(
    "sds",
    "certificates and trust for Envoy, by its secret discovery service",
    () => import("@newleaf/sds"),
  ),
  entry(
    "probe",
    "ask a service over mTLS again and again, or try everything that it must refuse",
    () => import("@newleaf/probe"),
  ),
  entry(
    "verify",
    "compare the certificate that is served with the one that is stored",
    () => import("@newleaf/probe"),
  ),
  entry(
    "doctor",
    "what is wrong between the certificates stored and those served, and what mends it",
    () => import("@newleaf/doctor"),
  ),
  entry(
    "helper",
    "keep SPIFFE credentials on disk current, reload what reads them, and prove that they are served",
    () => import("@newleaf/helper"),
  ),
  entry(
    "inspect",
    "what certificates, keys, bundles and revocation lists say, and what will break",
    () => import("@newleaf/ca"),
  ),
  entry(
    "webhook",
    "an admission webhook that refuses what cannot rotate, and keeps its own certificate",
    () => import("@newleaf/webhook-program"),
  ),
  entry(
    "webhook-certs",
    "elected serving certificates for admission webhooks in any language",
    () => import("@newleaf/webhook-program"),
  ),
  entry(
    "lint",
    "manifests whose certificates cannot rotate, before they reach a cluster",
    () => import("@newleaf/webhook-program"),
  ),
  entry("ca", "a small certificate authority for development", () => import("@newleaf/ca")),
  entry(
    "demo",
    "rotations under load, the rogue, the legacy application and a CA rollover, on embedded parts",
    () => import("@newleaf/demo"),
  ),
];

interface App {
  readonly commands: readonly Command[];
}

function entry(name: string, summary: string, load: () => Promise<App>): CommandEntry {
  return {
    name,
    summary,
    async load() {
      const { commands } = await load();
      const command = commands.find((candidate) => candidate.name === name);
      if (command === undefined) throw new Error(`no command ${name} in its program`);
      return command;
    },
  };
}
