import { formatName } from "@newleaf/x509";
import type { Analysis } from "./analysis.ts";
import { formatGeneralName, signatureOf } from "./describe-item.ts";
import { type Item, keyOf } from "./item.ts";
import type { Relations } from "./relations.ts";

/** The analysis as plain data: public facts only. */
export function inspectionJson({ files, relations, findings }: Analysis): object {
  return {
    files: files.map(({ input, items }) => ({
      path: input.path,
      items: items.map((item) => itemJson(item, relations)),
    })),
    findings,
  };
}

function itemJson(item: Item, { owners, paths }: Relations): object {
  switch (item.kind) {
    case "certificate":
      return certificateJson(
        item,
        paths.get(item)?.map(({ sha256 }) => sha256),
      );
    case "private key":
    case "public key": {
      const belongsTo = (owners.get(item) ?? []).flatMap((owner) =>
        owner.kind === "certificate" ? [owner.certificate.sha256] : [],
      );
      return { kind: item.kind, key: item.key, belongsTo };
    }
    case "revocation list": {
      const { crl } = item;
      return {
        kind: item.kind,
        issuer: formatName(crl.issuer),
        thisUpdate: crl.thisUpdate,
        nextUpdate: crl.nextUpdate,
        number: crl.crlNumber,
        revokedCount: crl.revokedCount,
        signatureAlgorithm: signatureOf(crl.signatureAlgorithm),
        sha256: crl.sha256,
      };
    }
    case "request": {
      const { request } = item;
      return {
        kind: item.kind,
        subject: formatName(request.subject),
        names: request.subjectAltNames.map(formatGeneralName),
        key: keyOf(request),
        signatureAlgorithm: signatureOf(request.signatureAlgorithm),
      };
    }
    case "unreadable":
      return { kind: item.kind, message: item.message };
    case "other":
      return { kind: item.kind, label: item.label };
    case "encrypted key":
      return { kind: item.kind };
  }
}

function certificateJson(
  { kind, certificate }: Extract<Item, { kind: "certificate" }>,
  path: readonly string[] | undefined,
): object {
  const { basicConstraints, keyUsage } = certificate;
  return {
    kind,
    subject: formatName(certificate.subject),
    issuer: formatName(certificate.issuer),
    names: certificate.subjectAltNames.map(formatGeneralName),
    serialNumber: certificate.serialNumber,
    sha256: certificate.sha256,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    isCa: basicConstraints?.cA === true,
    pathLength: basicConstraints?.pathLength,
    keyUsage: keyUsage === undefined ? undefined : [...keyUsage],
    extendedKeyUsage: certificate.extendedKeyUsage,
    key: keyOf(certificate),
    signatureAlgorithm: signatureOf(certificate.signatureAlgorithm),
    subjectKeyIdentifier: certificate.subjectKeyIdentifier,
    authorityKeyIdentifier: certificate.authorityKeyIdentifier?.keyIdentifier,
    crlDistributionPoints: certificate.crlDistributionPoints,
    path,
    warnings: certificate.warnings,
  };
}
