import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import {
  type CertificateValidationContextSchema,
  type DataSourceSchema,
  SecretSchema,
  SPIFFECertValidatorConfigSchema,
  SubjectAltNameMatcher_SanType,
  type SubjectAltNameMatcherSchema,
  type TlsCertificateSchema,
} from "@newleaf/proto";
import { encodeCertificates, encodeCrls } from "@newleaf/x509";
import type { SanMatcher } from "./san-matcher.ts";
import type {
  AnchorsContent,
  CertificateContent,
  SecretContent,
  TrustDomainsContent,
} from "./secret-content.ts";

/** The type URL of secrets in both protocols. */
export const SECRET_TYPE: string = `type.googleapis.com/${SecretSchema.typeName}`;

/** A secret as it travels: made once, and shared by everyone it is sent to. Holds the key of a certificate. */
export function encodeSecret(name: string, content: SecretContent): Any {
  return anyPack(SecretSchema, create(SecretSchema, { name, type: typeOf(content) }));
}

function typeOf(content: SecretContent): NonNullable<MessageInitShape<typeof SecretSchema>["type"]> {
  switch (content.kind) {
    case "certificate":
      return { case: "tlsCertificate", value: certificate(content) };
    case "anchors":
      return { case: "validationContext", value: anchors(content) };
    case "trust-domains":
      return { case: "validationContext", value: trustDomains(content) };
  }
}

function certificate({ chain, key }: CertificateContent): MessageInitShape<typeof TlsCertificateSchema> {
  return {
    certificateChain: inline(encodeCertificates(chain)),
    privateKey: inline(key.export({ type: "pkcs8", format: "pem" }).toString()),
  };
}

function anchors(content: AnchorsContent): MessageInitShape<typeof CertificateValidationContextSchema> {
  const { crls, sans } = content;
  return {
    trustedCa: inline(encodeCertificates(content.anchors)),
    ...(crls.length > 0 && { crl: inline(encodeCrls(crls)) }),
    matchTypedSubjectAltNames: sans.map(sanMatcher),
  };
}

function trustDomains({
  domains,
  sans,
}: TrustDomainsContent): MessageInitShape<typeof CertificateValidationContextSchema> {
  const config = create(SPIFFECertValidatorConfigSchema, {
    trustDomains: [...domains].map(([name, authorities]) => ({
      name,
      trustBundle: inline(encodeCertificates(authorities)),
    })),
  });
  return {
    customValidatorConfig: {
      name: "envoy.tls.cert_validator.spiffe",
      typedConfig: anyPack(SPIFFECertValidatorConfigSchema, config),
    },
    matchTypedSubjectAltNames: sans.map(sanMatcher),
  };
}

const SAN_TYPES = {
  uri: SubjectAltNameMatcher_SanType.URI,
  dns: SubjectAltNameMatcher_SanType.DNS,
  email: SubjectAltNameMatcher_SanType.EMAIL,
  ip: SubjectAltNameMatcher_SanType.IP_ADDRESS,
} as const;

function sanMatcher({ type, how, value }: SanMatcher): MessageInitShape<typeof SubjectAltNameMatcherSchema> {
  return {
    sanType: SAN_TYPES[type],
    matcher: { matchPattern: { case: how, value }, ignoreCase: type === "dns" },
  };
}

function inline(text: string): MessageInitShape<typeof DataSourceSchema> {
  return { specifier: { case: "inlineBytes", value: Buffer.from(text) } };
}
