import { defineCommand, jsonOption, type LeafCommand } from "@newleaf/daemon";
import { openAuthority } from "./authority-directory.ts";
import type { IssuedCertificate } from "./authority-index.ts";
import { namesOf } from "./issue-command.ts";
import { publishedDirectory } from "./issue-identity.ts";
import { caOption } from "./options.ts";
import { formatLength } from "./relative-time.ts";
import { renderTable } from "./render-fields.ts";

export const listCommand: LeafCommand = defineCommand({
  name: "list",
  summary: "what the authority has issued",
  examples: [{ command: "newleaf ca list --json | jq '.certificates[].name'", note: "names, for a script" }],
  options: { ca: caOption, json: jsonOption },
  async run(config, { stdout, style }) {
    const open = await openAuthority(config.ca);
    const now = new Date();
    const rows = open.index.certificates.map((entry) => ({
      ...entry,
      status: statusOf(entry, now),
      directory: publishedDirectory(open, entry),
    }));
    if (config.json) {
      const { certificate } = open.authority;
      const authority = { name: open.index.name, notAfter: certificate.notAfter, sha256: certificate.sha256 };
      stdout.write(`${JSON.stringify({ authority, certificates: rows })}\n`);
      return;
    }
    if (rows.length === 0) {
      stdout.write(`${open.index.name} has issued nothing yet\n`);
      return;
    }
    const paint = { valid: style.green, expired: style.dim, revoked: style.red };
    const cells = rows.map((row) => [
      row.name,
      paint[row.status](row.status),
      when(row, now),
      row.serialNumber,
      namesOf(row.request),
    ]);
    stdout.write(renderTable(["name", "status", "expires", "serial", "names"], cells, style));
  },
});

function statusOf(entry: IssuedCertificate, now: Date): "valid" | "expired" | "revoked" {
  if (entry.revoked !== undefined) return "revoked";
  return Date.parse(entry.notAfter) <= now.getTime() ? "expired" : "valid";
}

function when(entry: IssuedCertificate, now: Date): string {
  const ms = Date.parse(entry.notAfter) - now.getTime();
  return ms > 0 ? `in ${formatLength(ms)}` : `${formatLength(ms)} ago`;
}
