import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "@newleaf/daemon";
import { type Authority, keyMatchesCertificate, parseCertificates, parsePrivateKey } from "@newleaf/x509";
import { type Credentials, credentials } from "./forged-identity.ts";

/** Reads `ca.crt` and `ca.key` of an authority as `newleaf ca init` makes them. */
export async function loadAuthority(directory: string): Promise<Authority> {
  const [certificate] = parseCertificates(await read(directory, "ca.crt"));
  const key = parsePrivateKey(await read(directory, "ca.key"));
  if (!certificate || !keyMatchesCertificate(key, certificate)) {
    throw failure(`${directory}: ca.key is not the key of ca.crt`, {
      hint: "give the directory of a newleaf ca",
    });
  }
  return { certificate, key };
}

/** Reads `tls.crt` and `tls.key` as they are, valid or not. */
export async function loadCredentials(directory: string): Promise<Credentials> {
  const chain = parseCertificates(await read(directory, "tls.crt"));
  return credentials(chain, parsePrivateKey(await read(directory, "tls.key")));
}

async function read(directory: string, name: string): Promise<string> {
  return readFile(join(directory, name), "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw failure(`cannot read ${join(directory, name)}: ${cause.code}`, { cause });
  });
}
