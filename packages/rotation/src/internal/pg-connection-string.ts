import { RotationError } from "../error.ts";

/**
 * A PostgreSQL connection string without what it says of TLS, which the identity decides: `pg` would let the string
 * win over it. Modes that ask for less than is done anyway are dropped; a string that asks for no TLS, for no check
 * of the server, or names certificates of its own contradicts the identity and is refused.
 */
export function withoutTlsParameters(connectionString: string): string {
  if (/^(?:\/|socket:|[a-z]+:\/\/[^/]*%2f)/i.test(connectionString)) throw noTls("a unix socket");
  const [base = "", query] = splitOnce(connectionString, "?");
  if (query === undefined) return connectionString;
  const parameters = new URLSearchParams(query);
  for (const [name, value] of [...parameters]) {
    if (name === "host" && value.startsWith("/")) throw noTls("a unix socket");
    if (!TLS_PARAMETERS.has(name)) continue;
    if (name === "ssl" && ["0", "false"].includes(value)) throw noTls("ssl=false");
    if (name === "sslmode" && ["disable", "no-verify"].includes(value)) throw noTls(`sslmode=${value}`);
    if (FILE_PARAMETERS.has(name))
      throw contradiction(`${name} comes from the identity source; leave it out`);
    parameters.delete(name);
  }
  const rest = parameters.toString();
  return rest === "" ? base : `${base}?${rest}`;
}

/** For `host` given as an option. */
export function refuseUnixSocket(host: string | undefined): void {
  if (host?.startsWith("/")) throw noTls("a unix socket");
}

const FILE_PARAMETERS = new Set(["sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword"]);
const TLS_PARAMETERS = new Set(["ssl", "sslmode", "uselibpqcompat", ...FILE_PARAMETERS]);

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function noTls(what: string): RotationError {
  return contradiction(`${what} means a connection without verified TLS, and so without the identity`);
}

function contradiction(message: string): RotationError {
  return new RotationError("ERR_ROTATION_OPTIONS", `PostgreSQL connection: ${message}`);
}
