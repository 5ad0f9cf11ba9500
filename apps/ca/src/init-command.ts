import { resolve } from "node:path";
import {
  type CommandContext,
  defineCommand,
  duration,
  jsonOption,
  type LeafCommand,
  z,
} from "@newleaf/daemon";
import { authorityFiles, createAuthority, holdsAuthority } from "./authority-directory.ts";
import { withDirectoryLock } from "./directory-lock.ts";
import { createDirectory } from "./durable-file.ts";
import { CaError } from "./error.ts";
import { algorithmOption, dryRunOption, forceOption } from "./options.ts";
import { formatInstant, formatRelative } from "./relative-time.ts";
import { renderFields } from "./render-fields.ts";

export const initCommand: LeafCommand = defineCommand({
  name: "init",
  summary: "create an authority: root certificate, key, and an empty revocation list",
  description:
    "Creates a self-signed root in a directory that only this user can read. The key is not encrypted: this is an " +
    "authority for development, not for production.",
  examples: [
    { command: "newleaf ca init", note: "an authority in ./newleaf-ca" },
    {
      command: "newleaf ca init /tmp/ca --name 'shop dev root' --duration 30d",
      note: "elsewhere, for a month",
    },
  ],
  arguments: {
    directory: {
      placeholder: "[dir]",
      description: "where to create it",
      schema: z.string().min(1),
      default: "newleaf-ca",
    },
  },
  options: {
    name: {
      flag: "--name <name>",
      description: "common name of the root",
      schema: z.string().min(1).max(64),
      default: "newleaf development root",
    },
    duration: {
      flag: "--duration <duration>",
      description: "how long the root is valid",
      schema: duration({ min: "1m", max: "7300d" }),
      default: "365d",
    },
    algorithm: algorithmOption,
    crlDuration: {
      flag: "--crl-duration <duration>",
      description: "how long the empty revocation list is valid",
      schema: duration({ min: "1s" }),
      default: "30d",
    },
    force: forceOption,
    dryRun: dryRunOption,
    json: jsonOption,
  },
  async run(config, context) {
    const directory = resolve(config.directory);
    if (!config.force) await refuseExisting(directory);
    const now = new Date();
    if (config.dryRun) {
      const end = formatInstant(new Date(now.getTime() + config.duration));
      context.stdout.write(`would create CN=${config.name} in ${directory}, valid until ${end}\n`);
      return;
    }
    const wanted = {
      name: config.name,
      durationMs: config.duration,
      algorithm: config.algorithm,
      crlDurationMs: config.crlDuration,
    };
    await createDirectory(directory, 0o700);
    const { authority } = await withDirectoryLock(directory, context.signal, async () => {
      // Two at the same time: the second must not replace what the first just made.
      if (!config.force) await refuseExisting(directory);
      return createAuthority(directory, wanted, now);
    });
    const { certificate } = authority;
    report(context, config.json, {
      name: config.name,
      directory,
      serialNumber: certificate.serialNumber,
      sha256: certificate.sha256,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
    });
  },
});

async function refuseExisting(directory: string): Promise<void> {
  if (!(await holdsAuthority(directory))) return;
  throw new CaError("ERR_CA_EXISTS", `${directory} already holds an authority; nothing was changed`, {
    hint: "use it as it is, choose another directory, or replace it with --force: what it issued is then untrusted",
  });
}

interface Created {
  readonly name: string;
  readonly directory: string;
  readonly serialNumber: string;
  readonly sha256: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

function report({ stdout, style }: CommandContext, json: boolean, created: Created): void {
  if (json) {
    stdout.write(`${JSON.stringify({ ...created, files: authorityFiles })}\n`);
    return;
  }
  stdout.write(`${style.green("created")} ${style.bold(created.name)}\n`);
  stdout.write(
    renderFields(
      [
        ["expires", formatRelative(created.notAfter, new Date())],
        ["sha256", created.sha256],
        ["directory", created.directory],
        ["trust", `${created.directory}/${authorityFiles.certificate} is what others need`],
      ],
      style,
    ),
  );
}
