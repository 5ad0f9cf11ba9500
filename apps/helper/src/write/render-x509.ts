import type { FileSet, OutputFile } from "@newleaf/daemon";
import type { X509Bundles, X509Svid } from "@newleaf/spiffe";
import { type Certificate, encodeCertificates, encodePem } from "@newleaf/x509";
import type { FilesConfig } from "../config/files-config.ts";
import { HelperError } from "../error.ts";

/**
 * The files of an X509-SVID, octet for octet as spiffe-helper writes them, and those that it does not have. Pure.
 * Throws ERR_HELPER_WRITE when there is no bundle of the SVID's trust domain.
 */
export function renderX509(svid: X509Svid, bundles: X509Bundles, config: FilesConfig, now: Date): FileSet {
  const own = svid.id.trustDomain.name;
  const current = (certificates: readonly Certificate[]) =>
    config.omitExpired ? certificates.filter(({ notAfter }) => notAfter >= now) : certificates;
  const files = new Map<string, OutputFile>();
  const key = encodePem("PRIVATE KEY", svid.key.export({ type: "pkcs8", format: "der" }));
  const { cert: certMode, key: keyMode } = config.modes;

  if (config.trustDomainBundle !== undefined) {
    for (const [trustDomain, bundle] of sorted(bundles)) {
      const name = config.trustDomainBundle.replace("{trust_domain}", () => trustDomain);
      files.set(name, { content: encodeCertificates(current(bundle.certificates)), mode: certMode });
    }
  }
  if (config.svid !== undefined) {
    const authorities = bundles.get(own)?.certificates;
    if (authorities === undefined) {
      throw new HelperError("ERR_HELPER_WRITE", `there is no bundle of the trust domain ${own}`);
    }
    const [leaf, ...intermediates] = svid.certificates;
    const bundle = [
      ...authorities,
      ...(config.addIntermediatesToBundle ? intermediates : []),
      ...(config.includeFederatedDomains ? federated(bundles, own) : []),
    ];
    const chain = config.addIntermediatesToBundle && leaf !== undefined ? [leaf] : svid.certificates;
    files.set(config.svid.bundle, { content: encodeCertificates(current(bundle)), mode: certMode });
    files.set(config.svid.key, { content: key, mode: keyMode });
    files.set(config.svid.certificates, { content: encodeCertificates(current(chain)), mode: certMode });
  }
  if (config.credential !== undefined) {
    const content = key + encodeCertificates(current(svid.certificates));
    files.set(config.credential, { content, mode: keyMode });
  }
  return files;
}

function federated(bundles: X509Bundles, own: string): readonly Certificate[] {
  return sorted(bundles).flatMap(([trustDomain, bundle]) => (trustDomain === own ? [] : bundle.certificates));
}

function sorted(
  bundles: X509Bundles,
): readonly (readonly [string, { certificates: readonly Certificate[] }])[] {
  return [...bundles].sort(([a], [b]) => (a < b ? -1 : 1));
}
