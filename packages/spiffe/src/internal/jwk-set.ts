import { SpiffeError } from "../error.ts";
import type { UntrustedJwk } from "./jwk.ts";

const JWK_SET_LIMITS = { maxBytes: 1024 * 1024, maxKeys: 1000 };

export interface JwkSet {
  /** The document as it was read, which is an object. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly keys: readonly UntrustedJwk[];
  readonly text: string;
}

/** Reads a JWK Set (RFC 7517 section 5) within the limits. Throws ERR_SPIFFE_BUNDLE; `what` names it in the message. */
export function readJwkSet(json: string | Uint8Array, what: string): JwkSet {
  const text = decode(json, what);
  const document = parse(text, what);
  const keys = document.keys;
  if (!Array.isArray(keys)) throw badBundle(`${what}: there is no list "keys"`);
  if (keys.length > JWK_SET_LIMITS.maxKeys) {
    throw badBundle(`${what}: more than ${JWK_SET_LIMITS.maxKeys} keys`);
  }
  if (!keys.every(isObject)) throw badBundle(`${what}: "keys" holds something that is no object`);
  return { document, keys, text };
}

export function badBundle(message: string, options?: ErrorOptions): SpiffeError {
  return new SpiffeError("ERR_SPIFFE_BUNDLE", message, options);
}

function decode(json: string | Uint8Array, what: string): string {
  if (json.length > JWK_SET_LIMITS.maxBytes) {
    throw badBundle(`${what}: more than ${JWK_SET_LIMITS.maxBytes} octets`);
  }
  if (typeof json === "string") return json;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(json);
  } catch {
    throw badBundle(`${what}: it is not UTF-8`);
  }
}

function parse(text: string, what: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badBundle(`${what}: it is not JSON`);
  }
  if (!isObject(value)) throw badBundle(`${what}: it is not a JSON object`);
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
