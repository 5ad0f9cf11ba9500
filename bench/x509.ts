import "./reflect-metadata.ts";
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { createTestAuthority } from "@newleaf/testing";
import {
  type Certificate,
  createTrustBundle,
  encodeCertificates,
  parseCertificate,
  parseCertificates,
  validatePath,
} from "@newleaf/x509";
import * as peculiar from "@peculiar/x509";
import type { Bench, Table, Target } from "./bench.ts";
import { createRoots } from "./roots.ts";
import { throughput, type Way } from "./throughput.ts";

const authorities = 151;
const [newleaf, node, peculiarName] = ["@newleaf/x509", "node:crypto", "@peculiar/x509"] as const;

/** Parsing, path validation and large bundles, against what Node brings and what npm has. */
export const x509: Bench = {
  name: "x509",
  async run({ quick, log }) {
    const rows: Row[] = [];
    for (const [what, ways] of Object.entries(cases())) {
      log(`x509: ${what}`);
      const rates = await throughput(ways, quick ? 20 : 300);
      rows.push({ what, rates });
    }
    return {
      method: `operations a second on one thread, medians of 7 rounds by turns; ECDSA P-256 leaf under an intermediate; a bundle of ${authorities} roots (P-256, P-384, RSA-2048)`,
      tables: [tableOf(rows)],
      targets: targetsOf(rows),
      absent: [],
    };
  },
};

interface Row {
  readonly what: string;
  readonly rates: ReadonlyMap<string, number>;
}

function cases(): Record<string, readonly Way[]> {
  const authority = createTestAuthority({ intermediate: true });
  const { certificate, intermediates, keyPem, chainPem } = authority.issue({
    dnsNames: ["backend.shop.svc", "backend"],
    uris: ["spiffe://shop.example/ns/shop/sa/backend"],
  });
  const [leaf, intermediate] = [certificate.der, intermediates[0]!.der];
  const root = authority.root.certificate;
  const bundlePem = encodeCertificates([...createRoots(authorities - 1), root]);
  const bundlePems = bundlePem.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----\n/g) ?? [];
  const bundle = createTrustBundle(parseCertificates(bundlePem));
  return {
    "parse a leaf": [
      { name: newleaf, run: () => parseCertificate(leaf) },
      { name: node, run: () => new X509Certificate(leaf) },
      { name: peculiarName, run: () => new peculiar.X509Certificate(leaf) },
    ],
    "parse a leaf and read names, validity, serial, SHA-256": [
      { name: newleaf, run: () => readNewleaf(parseCertificate(leaf)) },
      { name: node, run: () => readNode(new X509Certificate(leaf)) },
      { name: peculiarName, run: () => readPeculiar(new peculiar.X509Certificate(leaf)) },
    ],
    "parse leaf and intermediate, validate to a known root": pathWays(leaf, intermediate, root),
    [`bundle of ${authorities}: parse PEM, set identity`]: [
      { name: newleaf, run: () => createTrustBundle(parseCertificates(bundlePem)).sha256 },
      { name: node, run: () => bundlePems.map((pem) => new X509Certificate(pem).fingerprint256) },
      {
        name: peculiarName,
        run: () =>
          Promise.all(bundlePems.map((pem) => new peculiar.X509Certificate(pem).getThumbprint("SHA-256"))),
      },
    ],
    [`bundle of ${authorities}: validate leaf and intermediate`]: [
      {
        name: newleaf,
        run: () => validateNewleaf(parseCertificate(leaf), [parseCertificate(intermediate)], bundle),
      },
    ],
    [`bundle of ${authorities}: SecureContext`]: [
      { name: node, run: () => createSecureContext({ cert: chainPem, key: keyPem, ca: bundlePems }) },
    ],
  };
}

function readNewleaf(certificate: Certificate): unknown[] {
  const { subject, issuer, subjectAltNames, notBefore, notAfter, serialNumber, sha256 } = certificate;
  return [subject.commonName, issuer.commonName, subjectAltNames, notBefore, notAfter, serialNumber, sha256];
}

function readNode(certificate: X509Certificate): unknown[] {
  const { subject, issuer, subjectAltName, validFrom, validTo, serialNumber, fingerprint256 } = certificate;
  return [subject, issuer, subjectAltName, validFrom, validTo, serialNumber, fingerprint256];
}

async function readPeculiar(certificate: peculiar.X509Certificate): Promise<unknown[]> {
  const { subject, issuer, notBefore, notAfter, serialNumber } = certificate;
  const names = certificate.getExtension(peculiar.SubjectAlternativeNameExtension)?.names.toJSON();
  return [
    subject,
    issuer,
    names,
    notBefore,
    notAfter,
    serialNumber,
    await certificate.getThumbprint("SHA-256"),
  ];
}

function pathWays(leaf: Uint8Array, intermediate: Uint8Array, root: Certificate): readonly Way[] {
  const trust = createTrustBundle([root]);
  const nodeRoot = new X509Certificate(root.der);
  const peculiarRoot = new peculiar.X509Certificate(root.der);
  return [
    {
      name: newleaf,
      run: () => validateNewleaf(parseCertificate(leaf), [parseCertificate(intermediate)], trust),
    },
    // Signatures, names and validity: all that it has functions for.
    {
      name: node,
      run: () => validateNode([new X509Certificate(leaf), new X509Certificate(intermediate), nodeRoot]),
    },
    // Signatures and names only.
    {
      name: peculiarName,
      run: async () => {
        const certificates = [new peculiar.X509Certificate(intermediate), peculiarRoot];
        const builder = new peculiar.X509ChainBuilder({ certificates });
        const chain = await builder.build(new peculiar.X509Certificate(leaf));
        if (chain.length !== 3) throw new Error("no path");
      },
    },
  ];
}

function validateNewleaf(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  trust: ReturnType<typeof createTrustBundle>,
): void {
  const result = validatePath(leaf, trust, { now: new Date(), purpose: "clientAuth", intermediates });
  if (!result.ok) throw new Error(result.message);
}

function validateNode(path: readonly X509Certificate[]): void {
  const now = Date.now();
  for (const [index, certificate] of path.entries()) {
    const issuer = path[index + 1] ?? certificate;
    const isValid = Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
    if (!isValid || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) {
      throw new Error("no path");
    }
  }
}

function tableOf(rows: readonly Row[]): Table {
  const names = [newleaf, node, peculiarName];
  return {
    title: "operations a second",
    rows: rows.map(({ what, rates }) => ({
      what,
      ...Object.fromEntries(names.map((name) => [name, rates.get(name) ?? Number.NaN])),
    })),
  };
}

function targetsOf(rows: readonly Row[]): readonly Target[] {
  return rows.flatMap(({ what, rates }) => {
    const [ours, others] = [rates.get(newleaf), [rates.get(node), rates.get(peculiarName)]];
    const best = Math.max(...others.map((rate) => rate ?? 0));
    if (ours === undefined || best === 0) return [];
    const measured = `${(ours / best).toFixed(2)} of the best other`;
    return [{ what, wanted: "at least 1", measured, met: ours >= best }];
  });
}
