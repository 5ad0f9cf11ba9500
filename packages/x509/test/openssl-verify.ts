import { execFile, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Certificate, encodeCertificates } from "../src/certificate.ts";
import { type CertificateRevocationList, encodeCrls } from "../src/crl.ts";

/** One question that validatePath and `openssl verify` both can answer. */
export interface PathCase {
  readonly name: string;
  readonly leaf: Certificate;
  readonly trust: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly crls?: readonly CertificateRevocationList[];
  readonly purpose: "clientAuth" | "serverAuth";
  readonly now: Date;
  /** Ask openssl to insist on the details of RFC 5280 as well. */
  readonly strict?: boolean;
}

export interface OpensslVerdict {
  readonly ok: boolean;
  readonly output: string;
}

/** "OpenSSL 3.0.19 ..."; undefined when there is no openssl to run. */
export function opensslVersion(): string | undefined {
  const { status, stdout } = spawnSync("openssl", ["version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** Asks `openssl verify` about every case, `concurrency` processes at a time; answers in the same order. */
export async function opensslVerify(
  cases: readonly PathCase[],
  directory: string,
  concurrency: number,
): Promise<readonly OpensslVerdict[]> {
  const verdicts: OpensslVerdict[] = [];
  const queue = cases.entries();
  const worker = async () => {
    for (const [index, one] of queue) verdicts[index] = await verifyOne(one, join(directory, String(index)));
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return verdicts;
}

async function verifyOne(one: PathCase, prefix: string): Promise<OpensslVerdict> {
  const files = {
    leaf: `${prefix}.leaf`,
    trust: `${prefix}.trust`,
    chain: `${prefix}.chain`,
    crls: `${prefix}.crls`,
  };
  const crls = one.crls ?? [];
  await Promise.all([
    writeFile(files.leaf, encodeCertificates([one.leaf])),
    writeFile(files.trust, encodeCertificates(one.trust)),
    writeFile(files.chain, encodeCertificates(one.intermediates)),
    crls.length === 0 ? undefined : writeFile(files.crls, encodeCrls(crls)),
  ]);
  const args = [
    "verify",
    ...["-no-CApath", "-no-CAstore", "-partial_chain"],
    ...["-purpose", one.purpose === "clientAuth" ? "sslclient" : "sslserver"],
    // 112 bits of security; eight intermediates, which with leaf and anchor are ten certificates.
    ...["-auth_level", "2", "-verify_depth", "8"],
    ...["-attime", String(Math.floor(one.now.getTime() / 1000))],
    ...(one.trust.length === 0 ? ["-no-CAfile"] : ["-CAfile", files.trust]),
    ...(one.intermediates.length === 0 ? [] : ["-untrusted", files.chain]),
    ...(crls.length === 0 ? [] : ["-crl_check_all", "-CRLfile", files.crls]),
    ...(one.strict === true ? ["-x509_strict"] : []),
    files.leaf,
  ];
  return new Promise((resolve) => {
    execFile("openssl", args, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ ok: error === null, output: `${stdout}${stderr}`.trim() });
    });
  });
}
