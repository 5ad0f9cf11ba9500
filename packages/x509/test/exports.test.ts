import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as asn1 from "../src/asn1.ts";
import * as x509 from "../src/index.ts";

// The published surface. A name added or removed here belongs in the changelog.
const INDEX = `
ATTRIBUTE CERTIFICATE_LIMITS CRL_LIMITS EKU EXTENSION KEY_USAGES WARNINGS X509Error
createCsr createRoot createTrustBundle describeSignatureAlgorithm diffTrustBundles
encodeCertificates encodeCrls encodeCsr encodeName encodePem
formatIpAddress formatName generateKey issueCertificate issueCrl issueIntermediate
keyIdentifierOf keyMatchesCertificate nameKey namesEqual
parseCertificate parseCertificates parseCrl parseCrls parseCsr parseIpAddress parsePem parsePkcs8 parsePrivateKey
validatePath verifyCsr verifySignature
`;

const ASN1 = `
DerCursor DerElement TAG
bitString boolean checkDer contextTag encode enumerated explicit generalizedTime ia5String implicit integer
namedBits nullValue octetString oid printableString
readBitString readBitStringOctets readBoolean readDer readIa5 readIntegerHex readOid readSmallInteger readString
readTime sequence set time timeOf utcTime utf8String
`;

test.each([
  ["@newleaf/x509", x509, INDEX],
  ["@newleaf/x509/asn1", asn1, ASN1],
])("%s exports the listed names", (_, module, listed) => {
  expect(Object.keys(module).sort()).toEqual(listed.trim().split(/\s+/).sort());
});

test("the README lists every warning as the code describes it", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const rows = Object.entries(x509.WARNINGS).map(([code, text]) => `| \`${code}\` | ${text} |`);
  expect(readme).toContain(rows.join("\n"));
});
