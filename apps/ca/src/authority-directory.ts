import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type Authority,
  type CertificateRevocationList,
  createRoot,
  encodeCertificates,
  encodePem,
  issueCrl,
  keyMatchesCertificate,
  parseCertificates,
  parsePrivateKey,
} from "@newleaf/x509";
import { type AuthorityIndex, formatIndex, type KeyAlgorithmName, parseIndex } from "./authority-index.ts";
import { createDirectory, writeDurably } from "./durable-file.ts";
import { CaError } from "./error.ts";
import { subjectOf } from "./subject.ts";

/** The files of an authority's directory (mode 0700). */
export const authorityFiles = {
  certificate: "ca.crt",
  key: "ca.key",
  crl: "crl.pem",
  index: "index.json",
} as const;

/** An authority read from its directory. */
export interface OpenAuthority {
  readonly directory: string;
  readonly authority: Authority;
  readonly index: AuthorityIndex;
}

export interface NewAuthority {
  readonly name: string;
  readonly durationMs: number;
  readonly algorithm: KeyAlgorithmName;
  readonly crlDurationMs: number;
}

/** Creates a root, its key and an empty revocation list; replaces an authority that is there. */
export async function createAuthority(
  directory: string,
  wanted: NewAuthority,
  now: Date,
): Promise<OpenAuthority> {
  const authority = createRoot({
    subject: subjectOf(wanted.name),
    notAfter: new Date(now.getTime() + wanted.durationMs),
    notBefore: new Date(now.getTime() - 60_000),
    algorithm: wanted.algorithm,
  });
  const index: AuthorityIndex = { version: 1, name: wanted.name, crlNumber: 0, certificates: [] };
  await createDirectory(directory, 0o700);
  // What is in here must not end up in a repository.
  await writeDurably(join(directory, ".gitignore"), "*\n", 0o644);
  const key = String(authority.key.export({ type: "pkcs8", format: "pem" }));
  await writeDurably(join(directory, authorityFiles.key), key, 0o600);
  await writeDurably(
    join(directory, authorityFiles.certificate),
    encodeCertificates([authority.certificate]),
    0o644,
  );
  const { open } = await publishCrl({ directory, authority, index }, wanted.crlDurationMs, now);
  return open;
}

/** Reads an authority; refuses one that is damaged, or whose key belongs to another certificate. */
export async function openAuthority(directory: string): Promise<OpenAuthority> {
  const read = async (name: string) => {
    const path = join(directory, name);
    return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") throw notFound(directory, name, cause);
      throw cause;
    });
  };
  const [certificatePem, keyPem, indexText] = await Promise.all([
    read(authorityFiles.certificate),
    read(authorityFiles.key),
    read(authorityFiles.index),
  ]);
  const index = parseIndex(indexText, join(directory, authorityFiles.index));
  const [certificate] = parseCertificates(certificatePem);
  const key = parsePrivateKey(keyPem);
  if (certificate === undefined || !keyMatchesCertificate(key, certificate)) {
    const path = join(directory, authorityFiles.key);
    throw new CaError("ERR_CA_DAMAGED", `${path} is not the key of ca.crt; nothing was issued`, {
      hint: "restore both from the same time, or start anew with newleaf ca init --force",
    });
  }
  return { directory, authority: { certificate, key }, index };
}

/** Whether a directory already holds an authority, or part of one. */
export async function holdsAuthority(directory: string): Promise<boolean> {
  const found = await Promise.all(
    [authorityFiles.certificate, authorityFiles.key, authorityFiles.index].map((name) =>
      stat(join(directory, name)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

/** Refuses to publish an identity where an authority lives: its ca.crt would be replaced by a copy. */
export async function refuseAuthorityDirectory(directory: string): Promise<void> {
  const own = [authorityFiles.key, authorityFiles.index].map((name) => stat(join(directory, name)));
  if ((await Promise.allSettled(own)).every(({ status }) => status === "rejected")) return;
  throw new CaError("ERR_CA_EXISTS", `${directory} is the directory of an authority; nothing was issued`, {
    hint: "choose a directory of its own with --out",
  });
}

export async function saveIndex(directory: string, index: AuthorityIndex): Promise<void> {
  await writeDurably(join(directory, authorityFiles.index), formatIndex(index), 0o600);
}

/** Signs the next revocation list over all revoked certificates that have not expired, and writes it. */
export async function publishCrl(
  open: OpenAuthority,
  durationMs: number,
  now: Date,
): Promise<{ readonly open: OpenAuthority; readonly crl: CertificateRevocationList; readonly pem: string }> {
  const number = open.index.crlNumber + 1;
  const revoked = open.index.certificates.flatMap(({ serialNumber, notAfter, revoked: entry }) =>
    entry === undefined || Date.parse(notAfter) < now.getTime()
      ? []
      : [{ serialNumber, date: new Date(entry.at), reason: entry.reason }],
  );
  const crl = issueCrl(open.authority, {
    revoked,
    number,
    thisUpdate: new Date(now.getTime() - 60_000),
    nextUpdate: new Date(now.getTime() + durationMs),
  });
  const pem = encodePem("X509 CRL", crl.der);
  const index = { ...open.index, crlNumber: number };
  // The number is used up before the list is seen: a crash in between skips one rather than repeat it.
  await saveIndex(open.directory, index);
  await writeDurably(join(open.directory, authorityFiles.crl), pem, 0o644);
  return { open: { ...open, index }, crl, pem };
}

function notFound(directory: string, name: string, cause: unknown): CaError {
  return new CaError("ERR_CA_NOT_FOUND", `no authority in ${directory}: ${name} is missing`, {
    hint: `create one with newleaf ca init ${directory}, or name its directory with --ca`,
    cause,
  });
}
