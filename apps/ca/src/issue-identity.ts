import type { KeyObject } from "node:crypto";
import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import {
  type Certificate,
  EKU,
  encodeCertificates,
  generateKey,
  issueCertificate,
  parsePrivateKey,
} from "@newleaf/x509";
import { type OpenAuthority, refuseAuthorityDirectory, saveIndex } from "./authority-directory.ts";
import { type IdentityRequest, type IssuedCertificate, withCertificate } from "./authority-index.ts";
import { CaError } from "./error.ts";
import { type Layout, type PublishedFile, prepareDirectory, publishFiles } from "./publish-files.ts";

export interface IssueOrder {
  readonly name: string;
  readonly request: IdentityRequest;
  /** Absolute, or relative to the working directory. */
  readonly directory: string;
  readonly layout: Layout;
  /** Keep the key that is in the directory instead of making a new one. */
  readonly reuseKey?: boolean;
}

export interface Issued {
  readonly certificate: Certificate;
  readonly entry: IssuedCertificate;
  readonly directory: string;
  readonly open: OpenAuthority;
}

/**
 * Issues a certificate, remembers it, and publishes tls.key, ca.crt and tls.crt into the directory. It is
 * remembered before it is seen, so that whatever is in use can be revoked.
 */
export async function issueIdentity(open: OpenAuthority, order: IssueOrder, now: Date): Promise<Issued> {
  const { authority, directory } = open;
  await refuseAuthorityDirectory(order.directory);
  const notAfter = endOf(open, order.request.durationMs, now);
  const key =
    order.reuseKey === true
      ? await readKey(order.directory)
      : generateKey(order.request.algorithm).privateKey;
  const certificate = issueCertificate(authority, createPublicKey(key), {
    subject: order.request.subject,
    dnsNames: order.request.dnsNames,
    uris: order.request.uris,
    ips: order.request.ips,
    extendedKeyUsage: usages[order.request.usage],
    notBefore: new Date(now.getTime() - backdating(order.request.durationMs)),
    notAfter,
  });
  const entry: IssuedCertificate = {
    name: order.name,
    serialNumber: certificate.serialNumber,
    sha256: certificate.sha256,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    request: order.request,
    directory: relative(resolve(directory), resolve(order.directory)) || ".",
    layout: order.layout,
  };
  await prepareDirectory(order.directory);
  const index = withCertificate(open.index, entry, now);
  await saveIndex(directory, index);
  await publishFiles(order.directory, filesOf(open, certificate, key), order.layout);
  return { certificate, entry, directory: order.directory, open: { ...open, index } };
}

/** Where a remembered certificate was published. */
export function publishedDirectory(open: OpenAuthority, entry: IssuedCertificate): string {
  return resolve(open.directory, entry.directory);
}

const usages = {
  both: [EKU.serverAuth, EKU.clientAuth],
  client: [EKU.clientAuth],
  server: [EKU.serverAuth],
};

/** For peers whose clock is behind; a tenth of a short life at most, so that a new certificate looks new. */
function backdating(durationMs: number): number {
  return Math.min(60_000, durationMs / 10);
}

/** No certificate outlives its authority: it would be refused in its last days, for a reason hard to find. */
function endOf(open: OpenAuthority, durationMs: number, now: Date): Date {
  const end = open.authority.certificate.notAfter;
  if (end.getTime() <= now.getTime()) {
    throw new CaError(
      "ERR_CA_EXPIRED",
      `the authority in ${open.directory} expired at ${end.toISOString()}`,
      {
        hint: `start a new one with newleaf ca init ${open.directory} --force, and hand out its ca.crt`,
      },
    );
  }
  return new Date(Math.min(now.getTime() + durationMs, end.getTime()));
}

async function readKey(directory: string): Promise<KeyObject> {
  return parsePrivateKey(await readFile(join(directory, "tls.key"), "utf8"));
}

function filesOf(
  open: OpenAuthority,
  certificate: Certificate,
  key: KeyObject,
): Record<string, PublishedFile> {
  return {
    "tls.key": { content: String(key.export({ type: "pkcs8", format: "pem" })), secret: true },
    "ca.crt": { content: encodeCertificates([open.authority.certificate]) },
    "tls.crt": { content: encodeCertificates([certificate]) },
  };
}
