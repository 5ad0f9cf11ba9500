import { defineCommand, duration, jsonOption, type LeafCommand, z } from "@newleaf/daemon";
import { analyse } from "./analysis.ts";
import { isAtLeast } from "./finding.ts";
import { readInputs } from "./input.ts";
import { inspectionJson } from "./inspection-json.ts";
import { renderInspection } from "./render-inspection.ts";

export const inspectCommand: LeafCommand = defineCommand({
  name: "inspect",
  summary: "what certificates, keys, bundles and revocation lists say, and what will break",
  description:
    "Reads PEM and DER files, directories (tls.crt, tls.key, ca.crt and what else is in them) and standard input. " +
    "Files of one directory are checked against each other, as are the files named. Of keys only public facts are " +
    "shown.",
  examples: [
    { command: "newleaf inspect /etc/tls", note: "a mounted volume" },
    { command: "newleaf inspect tls.crt tls.key ca.crt --fail-on warning", note: "as a check in a pipeline" },
    {
      command: "openssl s_client -connect db:5432 -starttls postgres </dev/null | newleaf inspect -",
      note: "what a server shows",
    },
  ],
  arguments: {
    files: {
      placeholder: "<file...>",
      description: "files, directories, or - for standard input",
      schema: z.array(z.string().min(1)).min(1),
    },
  },
  options: {
    purpose: {
      flag: "--for <purpose>",
      description: "what leaves are for: mtls (server and client), server, client",
      schema: z.enum(["mtls", "server", "client"]),
      default: "mtls",
    },
    expiresWithin: {
      flag: "--expires-within <duration>",
      description: "warn of what expires this soon; a quarter of the lifetime, 30 days at most, unless given",
      schema: duration().optional(),
    },
    failOn: {
      flag: "--fail-on <severity>",
      description: "exit with 1 if there is a finding this bad: error, warning, note, or never",
      schema: z.enum(["error", "warning", "note", "never"]),
      default: "never",
    },
    json: jsonOption,
  },
  async run(config, { stdin, stdout, style }) {
    const now = new Date();
    const inputs = await readInputs(config.files, stdin);
    const analysis = analyse(inputs, { now, purpose: config.purpose, soonMs: config.expiresWithin });
    stdout.write(
      config.json ? `${JSON.stringify(inspectionJson(analysis))}\n` : renderInspection(analysis, style, now),
    );
    const { failOn } = config;
    return failOn !== "never" && analysis.findings.some(({ severity }) => isAtLeast(severity, failOn))
      ? 1
      : 0;
  },
});
