import { join, resolve } from "node:path";
import {
  type CommandContext,
  defineCommand,
  duration,
  jsonOption,
  type LeafCommand,
  z,
} from "@newleaf/daemon";
import { type OpenAuthority, openAuthority, refuseAuthorityDirectory } from "./authority-directory.ts";
import { type IdentityRequest, latestOf } from "./authority-index.ts";
import { withDirectoryLock } from "./directory-lock.ts";
import { CaError } from "./error.ts";
import { type Issued, issueIdentity } from "./issue-identity.ts";
import {
  algorithmOption,
  caOption,
  dnsName,
  dryRunOption,
  forceOption,
  identityName,
  ipAddress,
  uri,
} from "./options.ts";
import { layoutOf } from "./publish-files.ts";
import { formatRelative } from "./relative-time.ts";
import { renderFields } from "./render-fields.ts";
import { subjectOf } from "./subject.ts";

export const issueCommand: LeafCommand = defineCommand({
  name: "issue",
  summary: "issue a certificate with its key",
  description:
    "Issues a certificate and writes tls.crt, tls.key and ca.crt into a directory that `newleaf proxy --certs`, " +
    "`watchFiles` and most servers take as it is. Without --dns, --uri and --ip it is for the name itself and for " +
    "localhost, 127.0.0.1 and ::1.",
  examples: [
    { command: "newleaf ca issue backend", note: "for development on this machine" },
    {
      command: "newleaf ca issue backend --dns backend.shop.svc --duration 1h --out certs",
      note: "as in a cluster",
    },
    {
      command: "newleaf ca issue batch --uri spiffe://shop/batch --client",
      note: "a client with a SPIFFE ID",
    },
  ],
  arguments: { name: { placeholder: "<name>", description: "name of the identity", schema: identityName } },
  options: {
    ca: caOption,
    dns: {
      flag: "--dns <name>",
      description: "DNS name",
      schema: z.array(dnsName),
      default: [],
      repeatable: true,
    },
    uri: {
      flag: "--uri <uri>",
      description: "URI name",
      schema: z.array(uri),
      default: [],
      repeatable: true,
    },
    ip: {
      flag: "--ip <address>",
      description: "IP name",
      schema: z.array(ipAddress),
      default: [],
      repeatable: true,
    },
    cn: {
      flag: "--cn <name>",
      description: "common name, the name itself unless given",
      schema: z.string().min(1).max(64).optional(),
    },
    client: { flag: "--client", description: "for clients only", schema: z.boolean(), default: false },
    server: { flag: "--server", description: "for servers only", schema: z.boolean(), default: false },
    duration: {
      flag: "--duration <duration>",
      description: "how long it is valid",
      schema: duration({ min: "1s", max: "3650d" }),
      default: "24h",
    },
    algorithm: algorithmOption,
    out: {
      flag: "--out <dir>",
      description: "where to write it, <ca>/issued/<name> unless given",
      schema: z.string().min(1).optional(),
    },
    layout: {
      flag: "--layout <layout>",
      description: "atomic (links swapped at one instant, as Kubernetes does it) or plain (ordinary files)",
      schema: z.enum(["atomic", "plain"]),
      default: "atomic",
    },
    force: forceOption,
    dryRun: dryRunOption,
    json: jsonOption,
  },
  async run(config, context) {
    const now = new Date();
    const { name } = config;
    const directory = resolve(config.out ?? join(config.ca, "issued", name));
    const request = requestOf(config);
    const issued = await withDirectoryLock(await existing(config.ca), context.signal, async () => {
      const open = await openAuthority(config.ca);
      await refuseAuthorityDirectory(directory);
      if (!config.force) await refuseToReplace(open, name, directory, now);
      if (config.dryRun) return undefined;
      return issueIdentity(open, { name, request, directory, layout: config.layout }, now);
    });
    if (issued === undefined) {
      context.stdout.write(`would issue ${name} (${namesOf(request)}) into ${directory}\n`);
      return;
    }
    reportIssued(context, config.json, "issued", issued, now);
  },
});

/** Says what was issued: never the key. */
export function reportIssued(
  { stdout, style, logger }: CommandContext,
  json: boolean,
  verb: "issued" | "renewed",
  { certificate, entry, directory, open }: Issued,
  now: Date,
): void {
  if (certificate.notAfter >= open.authority.certificate.notAfter) {
    logger.warn({ notAfter: certificate.notAfter }, "shorter than asked for: it ends with its authority");
  }
  const { name, request, serialNumber, sha256, layout, notBefore, notAfter } = entry;
  if (json) {
    const facts = { name, serialNumber, sha256, notBefore, notAfter, ...request, directory, layout };
    stdout.write(`${JSON.stringify({ [verb]: facts })}\n`);
    return;
  }
  stdout.write(`${style.green(verb)} ${style.bold(name)}\n`);
  stdout.write(
    renderFields(
      [
        ["subject", request.subject],
        ["names", namesOf(request)],
        ["usage", { both: "client and server", client: "client", server: "server" }[request.usage]],
        ["expires", formatRelative(certificate.notAfter, now)],
        ["serial", serialNumber],
        ["files", `${directory}/{tls.crt,tls.key,ca.crt}`],
      ],
      style,
    ),
  );
}

export function namesOf({ dnsNames, uris, ips }: IdentityRequest): string {
  return [...uris, ...dnsNames, ...ips].join(", ");
}

interface Wanted {
  readonly name: string;
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  readonly ip: readonly string[];
  readonly cn: string | undefined;
  readonly client: boolean;
  readonly server: boolean;
  readonly duration: number;
  readonly algorithm: IdentityRequest["algorithm"];
}

function requestOf(wanted: Wanted): IdentityRequest {
  const { name, dns, uri: uris, ip, client, server } = wanted;
  const unnamed = dns.length + uris.length + ip.length === 0;
  return {
    subject: subjectOf(wanted.cn ?? name.slice(0, 64)),
    dnsNames: unnamed ? [...(dnsName.safeParse(name).success ? [name] : []), "localhost"] : dns,
    uris,
    ips: unnamed ? ["127.0.0.1", "::1"] : ip,
    usage: client === server ? "both" : client ? "client" : "server",
    durationMs: wanted.duration,
    algorithm: wanted.algorithm,
  };
}

/** The lock lies inside the directory, so a missing authority must be noticed before it is taken. */
export async function existing(directory: string): Promise<string> {
  await openAuthority(directory);
  return directory;
}

async function refuseToReplace(
  open: OpenAuthority,
  name: string,
  directory: string,
  now: Date,
): Promise<void> {
  const latest = latestOf(open.index, name);
  if (latest !== undefined && latest.revoked === undefined && Date.parse(latest.notAfter) > now.getTime()) {
    throw new CaError("ERR_CA_EXISTS", `${name} has a certificate that is still valid; nothing was issued`, {
      hint: `renew it with newleaf ca renew ${name}, or issue another beside it with --force`,
    });
  }
  if ((await layoutOf(directory)) !== undefined) {
    throw new CaError("ERR_CA_EXISTS", `${directory} already holds a certificate; nothing was issued`, {
      hint: "choose another directory with --out, or replace it with --force",
    });
  }
}
