import type { Certificate } from "@newleaf/x509";
import { isSelfIssued, nameOf } from "./certificate-findings.ts";
import { type Finding, finding } from "./finding.ts";
import type { CertificateItem, Item } from "./item.ts";

/** What the items of one file show together: damage, permissions, duplicates, the order of a chain. */
export function fileFindings(items: readonly Item[]): readonly Finding[] {
  const certificates = items.filter((item): item is CertificateItem => item.kind === "certificate");
  return [
    ...items.flatMap((item) => (item.kind === "unreadable" ? [damage(item)] : [])),
    ...items.flatMap((item) => (item.kind === "encrypted key" ? [encrypted(item)] : [])),
    ...permissions(items),
    ...duplicates(certificates),
    ...(certificates.some(isLeaf) ? chainOrder(certificates) : []),
  ];
}

export function isLeaf({ certificate }: CertificateItem): boolean {
  return certificate.basicConstraints?.cA !== true;
}

/** Whether `issuer` may have issued `certificate`, by names and key identifiers; signatures come later. */
function looksIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (!Buffer.from(certificate.issuer.der).equals(Buffer.from(issuer.subject.der))) return false;
  const wanted = certificate.authorityKeyIdentifier?.keyIdentifier;
  return (
    wanted === undefined ||
    issuer.subjectKeyIdentifier === undefined ||
    wanted === issuer.subjectKeyIdentifier
  );
}

function damage(item: Extract<Item, { kind: "unreadable" }>): Finding {
  return finding("error", "unreadable", item, item.message, item.hint);
}

function encrypted(item: Item): Finding {
  const message = "the private key is encrypted: a program that rotates by itself cannot read it";
  return finding(
    "warning",
    "encrypted_key",
    item,
    message,
    "openssl pkey -in FILE -out FILE removes the encryption",
  );
}

function permissions(items: readonly Item[]): readonly Finding[] {
  const [item] = items.filter(({ kind }) => kind === "private key" || kind === "encrypted key");
  const mode = item?.input.mode;
  if (item === undefined || mode === undefined || (mode & 0o044) === 0 || process.platform === "win32")
    return [];
  const octal = mode.toString(8).padStart(4, "0");
  if ((mode & 0o004) === 0)
    return [finding("note", "readable_key", item, `the group may read this private key (mode ${octal})`)];
  const message = `every user of this machine may read this private key (mode ${octal})`;
  return [finding("warning", "readable_key", item, message, `chmod 600 ${item.input.path}`)];
}

function duplicates(certificates: readonly CertificateItem[]): readonly Finding[] {
  const seen = new Set<string>();
  return certificates.flatMap((item) => {
    const { sha256 } = item.certificate;
    if (!seen.has(sha256)) {
      seen.add(sha256);
      return [];
    }
    return [
      finding("warning", "duplicate", item, `${nameOf(item.certificate)} is in this file more than once`),
    ];
  });
}

/** A chain is the leaf, then each certificate's issuer (RFC 8446 4.4.2); the root is for the peer to have. */
function chainOrder(certificates: readonly CertificateItem[]): readonly Finding[] {
  const [first, ...rest] = certificates;
  if (first === undefined) return [];
  const hint = "write the leaf first, then each certificate's issuer";
  const leaves = certificates.filter(isLeaf);
  const [, second] = leaves;
  if (second !== undefined) {
    const message = `${leaves.length} leaves in one file, of which only the first is presented`;
    return [finding("warning", "several_leaves", second, message, "give each a file of its own")];
  }
  if (!isLeaf(first)) {
    const name = nameOf(first.certificate);
    return [
      finding(
        "error",
        "chain_order",
        first,
        `the chain begins with the CA ${name} instead of its leaf`,
        hint,
      ),
    ];
  }
  const findings: Finding[] = [];
  rest.forEach((item, index) => {
    const before = certificates[index]?.certificate;
    if (before === undefined || looksIssuedBy(before, item.certificate)) return;
    const message = `the chain is out of order: ${nameOf(item.certificate)} did not issue ${nameOf(before)}`;
    findings.push(finding("warning", "chain_order", item, message, hint));
  });
  const root = rest.find(({ certificate }) => isSelfIssued(certificate));
  if (root !== undefined) {
    const message = `the root ${nameOf(root.certificate)} in the chain is sent for nothing: peers must have it already`;
    findings.push(finding("note", "root_in_chain", root, message));
  }
  return findings;
}
