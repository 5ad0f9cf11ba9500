import { RotationError } from "../error.ts";
import type { Generation } from "../generation.ts";
import { explainRefusal } from "./client-refusal.ts";

/** OpenSSL's verdicts on a server's chain, as Node spells them; those of keys and signatures are not among them. */
const VERDICTS = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REVOKED",
  "CERT_REJECTED",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CRL_HAS_EXPIRED",
  "UNABLE_TO_GET_CRL",
  "INVALID_PURPOSE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/**
 * Whether a connection to PostgreSQL failed over a certificate, ours or the server's: what a newer one may mend.
 * PostgreSQL itself says so with `invalid_authorization_specification` once it takes no certificate, or not this one.
 */
export function isCertificateFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof RotationError)
    return error.code === "ERR_ROTATION_SERVER_REFUSED" || error.code === "ERR_ROTATION_CLIENT_REFUSED";
  const code = "code" in error ? error.code : undefined;
  if (code === "28000") return /certificate/i.test(error.message);
  return typeof code === "string" && VERDICTS.has(code);
}

/** The words for a connection that ended before it was ready; `verified`: the server had passed our checks by then. */
export function explainConnectFailure(
  error: Error,
  { verified, anonymous }: { readonly verified: boolean; readonly anonymous?: boolean | undefined },
  generation: Generation,
): Error {
  // `pg` gives an end of the connection no code.
  const ended = error.message.startsWith("Connection terminated") && !("code" in error);
  const failed = ended
    ? Object.assign(new Error(error.message, { cause: error }), { code: "ECONNRESET" })
    : error;
  const explained = explainRefusal(failed, { established: verified, bytesRead: 0, anonymous }, generation);
  return explained === failed ? error : explained;
}
