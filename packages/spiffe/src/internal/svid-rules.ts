import type { Certificate } from "@newleaf/x509";
import { SpiffeError } from "../error.ts";
import { parseSpiffeId, type SpiffeId } from "../spiffe-id.ts";

export type LeafVerdict =
  | { readonly ok: true; readonly id: SpiffeId }
  | { readonly ok: false; readonly message: string };

/**
 * What X509-SVID sections 2 to 5.2 demand of the certificate that names a workload, beyond RFC 5280. Whether its
 * extended key usage fits is for the path validation, which knows the purpose.
 */
export function checkSvidLeaf(leaf: Certificate): LeafVerdict {
  const [uri, ...others] = uriNames(leaf);
  if (uri === undefined) return objection("the certificate has no URI name, so no SPIFFE ID");
  if (others.length > 0) return objection(`the certificate has ${1 + others.length} URI names, not one`);
  const id = spiffeIdOf(uri);
  if (id === undefined) return objection(`the URI name ${quote(uri)} is not a SPIFFE ID`);
  const { basicConstraints, keyUsage } = leaf;
  const who = quote(uri);
  if (basicConstraints?.cA === true)
    return objection(`${who} is a CA certificate, which authenticates nobody`);
  if (keyUsage === undefined) return objection(`the certificate of ${who} has no key usage`);
  for (const usage of ["keyCertSign", "cRLSign"] as const) {
    if (keyUsage.has(usage)) return objection(`the certificate of ${who} may sign (${usage})`);
  }
  if (!keyUsage.has("digitalSignature")) return objection(`the key usage of ${who} lacks digitalSignature`);
  if (id.path === "") return objection(`${who} is the ID of a trust domain, not of a workload`);
  return { ok: true, id };
}

/**
 * X509-SVID section 3.2, of a CA below the anchor: an ID, if there is one, is that of a trust domain. Other URIs are
 * no SPIFFE IDs and say nothing here.
 */
export function signingCertificateProblem(certificate: Certificate): string | undefined {
  const uris = uriNames(certificate);
  if (uris.length > 1) return `a signing certificate has ${uris.length} URI names, at most one is allowed`;
  const [uri] = uris;
  if (uri === undefined || !/^spiffe:/i.test(uri)) return undefined;
  const id = spiffeIdOf(uri);
  if (id === undefined) return `the URI name ${quote(uri)} of a signing certificate is not a SPIFFE ID`;
  return id.path === "" ? undefined : `a signing certificate has the ID of a workload, ${quote(uri)}`;
}

/** The same for every CA between leaf and anchor of a path. */
export function signingPathProblem(path: readonly Certificate[]): string | undefined {
  for (const certificate of path.slice(1, -1)) {
    const problem = signingCertificateProblem(certificate);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function uriNames({ subjectAltNames }: Certificate): readonly string[] {
  return subjectAltNames.flatMap((name) => (name.type === "uri" ? [name.value] : []));
}

function spiffeIdOf(uri: string): SpiffeId | undefined {
  try {
    return parseSpiffeId(uri);
  } catch (error) {
    if (error instanceof SpiffeError) return undefined;
    throw error;
  }
}

function objection(message: string): LeafVerdict {
  return { ok: false, message };
}

function quote(uri: string): string {
  return JSON.stringify(uri.length > 100 ? `${uri.slice(0, 100)}…` : uri);
}
