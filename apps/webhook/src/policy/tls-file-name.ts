/** What a file, or a key of a Secret or ConfigMap, holds, as far as its name says. */
export type FileRole = "certificate" | "key" | "ca" | "keystore";

/**
 * The role of a file by its name, or undefined for what is not for TLS or could be anything. Names that many things have
 * (`server.key`, `private.pem`) count only where `place`, a Secret's name or a mount path, speaks of TLS.
 */
export function roleOfFileName(path: string, place = ""): FileRole | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const exact = exactNames.get(name);
  if (exact !== undefined) return exact;
  const [, stem = "", extension = ""] = /^(.+)\.([a-z0-9]+)$/.exec(name) ?? [];
  const words = wordsOf(stem);
  const has = (set: ReadonlySet<string>) => words.some((word) => set.has(word));
  if (has(notTlsWords)) return undefined;
  switch (extension) {
    case "crt":
    case "cer":
    case "cert":
      return has(caWords) ? "ca" : "certificate";
    case "pem":
      if (has(keyWords))
        return has(tlsWords) || speaksOfTls(place) || /^(priv)?key$/.test(stem) ? "key" : undefined;
      if (has(caWords)) return "ca";
      return has(tlsWords) || speaksOfTls(place) ? "certificate" : undefined;
    case "key":
      return has(tlsWords) || has(caWords) || speaksOfTls(place) ? "key" : undefined;
    case "p12":
    case "pfx":
    case "jks":
      return has(caWords) ? "ca" : "keystore";
    default:
      return undefined;
  }
}

/** Whether the name of a Secret or a mount path says that certificates are there. */
export function speaksOfTls(place: string): boolean {
  const words = wordsOf(place.toLowerCase().replaceAll("cert-manager", ""));
  return words.some((word) => placeWords.has(word));
}

/** Whether the name of a ConfigMap or a mount path says that the CAs which peers verify to are there. */
export function speaksOfCa(place: string): boolean {
  return wordsOf(place.toLowerCase()).some((word) => caPlaceWords.has(word));
}

/** Whether a path is where programs look for the roots of the public web: trust in other servers, not in peers. */
export function isSystemTrustPath(path: string): boolean {
  return /^(\/etc\/ssl\/certs|\/etc\/ssl\/cert\.pem|\/etc\/pki|\/usr\/(local\/)?share\/(ca-certificates|pki)|\/etc\/ca-certificates)(\/|$)/.test(
    path,
  );
}

// What cert-manager writes: https://cert-manager.io/docs/usage/certificate/
const exactNames: ReadonlyMap<string, FileRole> = new Map([
  ["tls.crt", "certificate"],
  ["tls.key", "key"],
  ["ca.crt", "ca"],
  ["key.der", "key"],
  ["tls-combined.pem", "key"],
  ["keystore.p12", "keystore"],
  ["keystore.jks", "keystore"],
  ["truststore.p12", "ca"],
  ["truststore.jks", "ca"],
]);

const caWords = new Set(
  "ca cas cacert cacerts cabundle rootca root roots bundle trust trusted truststore trustbundle".split(" "),
);
const keyWords = new Set("key privkey privatekey private".split(" "));
const tlsWords = new Set(
  "tls mtls ssl cert certs certificate certificates server client peer leaf chain fullchain".split(" "),
);
const placeWords = new Set("tls mtls ssl cert certs certificate certificates pki x509".split(" "));
const caPlaceWords = new Set("ca cas cacert cacerts cabundle rootca trustbundle truststore".split(" "));
/** Beside certificates, but none; or keys for other things. */
const notTlsWords = new Set(
  "dhparam dhparams dh jwt jwk jwks saml ssh rsa gpg pgp license signing".split(" "),
);

function wordsOf(text: string): readonly string[] {
  return text.split(/[^a-z0-9]+/).filter((word) => word !== "");
}
