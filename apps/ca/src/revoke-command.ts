import { join } from "node:path";
import {
  type CommandContext,
  defineCommand,
  duration,
  jsonOption,
  type LeafCommand,
  z,
} from "@newleaf/daemon";
import type { CertificateRevocationList } from "@newleaf/x509";
import { authorityFiles, type OpenAuthority, openAuthority, publishCrl } from "./authority-directory.ts";
import { type IssuedCertificate, revocationReasons, withRevoked } from "./authority-index.ts";
import { withDirectoryLock } from "./directory-lock.ts";
import { CaError } from "./error.ts";
import { checkCopies, type HandedOut, handOutCrl } from "./hand-out-crl.ts";
import { existing } from "./issue-command.ts";
import { caOption, dryRunOption } from "./options.ts";
import { formatRelative } from "./relative-time.ts";
import { renderFields } from "./render-fields.ts";

const crlOptions = {
  ca: caOption,
  crlDuration: {
    flag: "--crl-duration <duration>",
    description: "how long the new revocation list is valid",
    schema: duration({ min: "1s" }),
    default: "30d",
  },
  copyTo: {
    flag: "--copy-to <path>",
    description: "also write the list to this file, or as crl.pem into this directory",
    schema: z.array(z.string().min(1)),
    default: [],
    repeatable: true,
  },
  json: jsonOption,
} as const;

export const revokeCommand: LeafCommand = defineCommand({
  name: "revoke",
  summary: "revoke certificates and sign a new revocation list",
  description:
    "Revokes every certificate of a name that has not expired, or the one with a serial number, and signs crl.pem " +
    "anew. Peers refuse the certificate once they have the list: give it to them with --copy-to.",
  examples: [
    { command: "newleaf ca revoke frontend", note: "all certificates of a name" },
    { command: "newleaf ca revoke frontend --copy-to /etc/newleaf/crl.pem", note: "and hand out the list" },
  ],
  arguments: {
    what: {
      placeholder: "<name|serial>",
      description: "a name or a serial number in hex",
      schema: z.string().min(1),
    },
  },
  options: {
    ...crlOptions,
    reason: {
      flag: "--reason <reason>",
      description: `why: ${revocationReasons.join(", ")}`,
      schema: z.enum(revocationReasons),
      default: "unspecified",
    },
    dryRun: dryRunOption,
  },
  async run(config, context) {
    const now = new Date();
    await checkCopies(config.copyTo);
    const result = await withDirectoryLock(await existing(config.ca), context.signal, async () => {
      const open = await openAuthority(config.ca);
      const found = findAll(open, config.what, now);
      if (config.dryRun) return { found, crl: undefined };
      const serials = new Set(found.map(({ serialNumber }) => serialNumber));
      const revoked = { at: now.toISOString(), reason: config.reason };
      const index = withRevoked(open.index, serials, revoked);
      const { crl, pem } = await publishCrl({ ...open, index }, config.crlDuration, now);
      return { found, crl, handedOut: await handOutCrl(pem, config.copyTo, config.ca) };
    });
    for (const { name, serialNumber } of config.json ? [] : result.found) {
      context.stdout.write(
        `${result.crl === undefined ? "would revoke" : "revoked"} ${name} ${serialNumber}\n`,
      );
    }
    if (result.crl !== undefined) reportCrl(context, config, result, result.found);
  },
});

export const crlCommand: LeafCommand = defineCommand({
  name: "crl",
  summary: "sign the revocation list again before it expires",
  examples: [{ command: "newleaf ca crl --crl-duration 90d", note: "one that holds for three months" }],
  options: crlOptions,
  async run(config, context) {
    await checkCopies(config.copyTo);
    const signed = await withDirectoryLock(await existing(config.ca), context.signal, async () => {
      const { crl, pem } = await publishCrl(await openAuthority(config.ca), config.crlDuration, new Date());
      return { crl, handedOut: await handOutCrl(pem, config.copyTo, config.ca) };
    });
    reportCrl(context, config, signed, []);
  },
});

function findAll(open: OpenAuthority, what: string, now: Date): readonly IssuedCertificate[] {
  const serial = what.toLowerCase().replaceAll(":", "");
  const alive = open.index.certificates.filter(({ notAfter }) => Date.parse(notAfter) > now.getTime());
  const named = alive.filter(({ name }) => name === what);
  const found = named.length > 0 ? named : alive.filter(({ serialNumber }) => serialNumber === serial);
  if (found.length === 0) {
    throw new CaError(
      "ERR_CA_UNKNOWN_CERTIFICATE",
      `${what} is no valid certificate that ${open.directory} issued`,
      {
        hint: `newleaf ca list --ca ${open.directory} shows them`,
      },
    );
  }
  if (found.every(({ revoked }) => revoked !== undefined)) {
    throw new CaError("ERR_CA_UNKNOWN_CERTIFICATE", `${what} is revoked already; nothing was changed`, {
      hint: `newleaf ca crl --ca ${open.directory} signs the list again`,
    });
  }
  return found.filter(({ revoked }) => revoked === undefined);
}

/** Says what was done, then throws what was not. */
function reportCrl(
  { stdout, style }: CommandContext,
  config: { readonly json: boolean; readonly ca: string },
  { crl, handedOut }: { readonly crl: CertificateRevocationList; readonly handedOut: HandedOut },
  revoked: readonly IssuedCertificate[],
): void {
  const files = [join(config.ca, authorityFiles.crl), ...handedOut.copies];
  const { revokedCount, thisUpdate, nextUpdate } = crl;
  if (config.json) {
    const serialNumbers = revoked.map(({ serialNumber }) => serialNumber);
    const list = {
      number: Number.parseInt(crl.crlNumber ?? "0", 16),
      revokedCount,
      thisUpdate,
      nextUpdate,
      files,
    };
    stdout.write(`${JSON.stringify({ revoked: serialNumbers, crl: list })}\n`);
  } else {
    const fields: (readonly [string, string])[] = [
      ["revoked", `${revokedCount} in all`],
      ["next update", nextUpdate === undefined ? "never" : formatRelative(nextUpdate, new Date())],
      ["files", files.join("\n")],
    ];
    stdout.write(`${style.green("signed")} ${style.bold("revocation list")}\n${renderFields(fields, style)}`);
  }
  if (handedOut.failed !== undefined) throw handedOut.failed;
}
