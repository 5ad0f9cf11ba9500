import { normalize } from "node:path/posix";
import type { HelperConfig } from "../config/config.ts";

/** Which files are published together: those of the X509-SVID as one group, each file of JWTs alone. */
export function groupOf({ files, jwtSvids }: HelperConfig): (name: string) => string | undefined {
  const { svid, credential, trustDomainBundle, jwtBundle } = files;
  const x509 = [svid?.certificates, svid?.key, svid?.bundle, credential];
  const jwt = [jwtBundle, ...jwtSvids.map(({ fileName }) => fileName)];
  const same = (name: string) => (other: string | undefined) =>
    other !== undefined && normalize(other) === name;
  const pattern = trustDomainBundle === undefined ? undefined : patternOf(normalize(trustDomainBundle));
  return (name) => {
    if (x509.some(same(name)) || pattern?.test(name) === true) return "x509";
    return jwt.find(same(name));
  };
}

function patternOf(text: string): RegExp {
  const [before = "", after = ""] = text
    .split("{trust_domain}")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${before}[a-z0-9._-]+${after}$`);
}
