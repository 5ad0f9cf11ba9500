import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  type CommandContext,
  defineCommand,
  delay,
  duration,
  jsonOption,
  type LeafCommand,
  z,
} from "@newleaf/daemon";
import { parseCertificates } from "@newleaf/x509";
import { type OpenAuthority, openAuthority } from "./authority-directory.ts";
import { type IssuedCertificate, latestOf } from "./authority-index.ts";
import { withDirectoryLock } from "./directory-lock.ts";
import { CaError } from "./error.ts";
import { existing, namesOf, reportIssued } from "./issue-command.ts";
import { type Issued, issueIdentity, publishedDirectory } from "./issue-identity.ts";
import { caOption, dryRunOption } from "./options.ts";
import { layoutOf } from "./publish-files.ts";

export const renewCommand: LeafCommand = defineCommand({
  name: "renew",
  summary: "replace certificates by new ones with the same names",
  description:
    "Issues again what was issued, with a new key, into the directory where it was. With --every it goes on until " +
    "stopped: a quick way to watch a program rotate.",
  examples: [
    { command: "newleaf ca renew backend", note: "once" },
    { command: "newleaf ca renew backend frontend --every 5s --duration 20s", note: "until Ctrl-C" },
  ],
  arguments: {
    what: {
      placeholder: "<name|dir...>",
      description: "identities, by name or by the directory they are in",
      schema: z.array(z.string().min(1)).min(1),
    },
  },
  options: {
    ca: caOption,
    duration: {
      flag: "--duration <duration>",
      description: "how long the new ones are valid, as long as the old ones unless given",
      schema: duration({ min: "1s", max: "3650d" }).optional(),
    },
    reuseKey: { flag: "--reuse-key", description: "keep the key", schema: z.boolean(), default: false },
    every: {
      flag: "--every <duration>",
      description: "keep renewing until stopped",
      schema: duration({ min: "10ms" }).optional(),
    },
    dryRun: dryRunOption,
    json: jsonOption,
  },
  async run(config, context) {
    if (config.dryRun) return describePlan(config.ca, config.what, context);
    for (;;) {
      const started = Date.now();
      for (const what of config.what) {
        const issued = await renew(config, what, context.signal);
        reportIssued(context, config.json, "renewed", issued, new Date());
      }
      if (config.every === undefined) return;
      const wait = Math.max(0, config.every - (Date.now() - started));
      const stopped = await delay(wait, context.signal).then(
        () => false,
        () => true,
      );
      if (stopped) return;
    }
  },
});

interface Renewal {
  readonly ca: string;
  readonly duration: number | undefined;
  readonly reuseKey: boolean;
}

async function renew(
  { ca, duration: durationMs, reuseKey }: Renewal,
  what: string,
  signal: AbortSignal,
): Promise<Issued> {
  return withDirectoryLock(await existing(ca), signal, async () => {
    const open = await openAuthority(ca);
    const entry = await find(open, what);
    const directory = publishedDirectory(open, entry);
    const request = durationMs === undefined ? entry.request : { ...entry.request, durationMs };
    const layout = (await layoutOf(directory)) ?? entry.layout;
    return issueIdentity(open, { name: entry.name, request, directory, layout, reuseKey }, new Date());
  });
}

async function describePlan(ca: string, what: readonly string[], { stdout }: CommandContext): Promise<void> {
  const open = await openAuthority(ca);
  for (const each of what) {
    const entry = await find(open, each);
    stdout.write(
      `would renew ${entry.name} (${namesOf(entry.request)}) in ${publishedDirectory(open, entry)}\n`,
    );
  }
}

/** By name, else by the certificate that is in the directory of that path, wherever it was moved to. */
async function find(open: OpenAuthority, what: string): Promise<IssuedCertificate> {
  const named = latestOf(open.index, what);
  if (named !== undefined) return refuseRevoked(named);
  const pem = await readFile(join(what, "tls.crt"), "utf8").catch(() => undefined);
  const [leaf] = pem === undefined ? [] : parseCertificates(pem);
  const entry = open.index.certificates.find(({ sha256 }) => sha256 === leaf?.sha256);
  if (entry === undefined) {
    throw new CaError("ERR_CA_UNKNOWN_CERTIFICATE", `${what} is no identity that ${open.directory} issued`, {
      hint: `newleaf ca list --ca ${open.directory} shows them`,
    });
  }
  return refuseRevoked({ ...entry, directory: resolve(what) });
}

function refuseRevoked(entry: IssuedCertificate): IssuedCertificate {
  if (entry.revoked === undefined) return entry;
  throw new CaError(
    "ERR_CA_UNKNOWN_CERTIFICATE",
    `${entry.name} was revoked at ${entry.revoked.at}; not renewed`,
    {
      hint: `issue it anew with newleaf ca issue ${entry.name} --force`,
    },
  );
}
