import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createTrustBundle, parseCertificate, parseCrl, validatePath, X509Error } from "../src/index.ts";

/**
 * The path validation tests of NIST's suite, except the sections about certificate policies (4.8 to 4.12), which
 * this package does not evaluate. Every certificate of these paths is of 2011 to 2030.
 */
interface Pkits {
  readonly tests: readonly {
    readonly name: string;
    /** From the anchor to the leaf. */
    readonly path: readonly string[];
    readonly crls: readonly string[];
    readonly valid: boolean;
  }[];
  /** Base64 of DER by name. */
  readonly certificates: Readonly<Record<string, string>>;
  readonly crls: Readonly<Record<string, string>>;
}

const pkits: Pkits = JSON.parse(readFileSync(new URL("pkits.golden.json", import.meta.url), "utf8"));

/** Valid for PKITS but refused here; there is nothing the other way round. */
const REFUSED: Readonly<Record<string, string>> = {
  "4.1.4": "bad_signature", // DSA, which TLS 1.3 has not
  "4.1.5": "bad_signature",
  "4.4.14": "revoked", // a list takes the serial numbers -1 and 255 for one
  "4.4.19": "crl_missing", // lists are signed by another key than certificates
  "4.5.1": "crl_missing",
  "4.5.3": "crl_missing", // partitioned lists
  "4.5.4": "crl_missing",
  "4.5.6": "crl_missing",
  "4.6.8": "ca_as_leaf",
  "4.6.14": "ca_as_leaf",
  "4.6.15": "crl_missing", // the list is not of the rolled-over key
  "4.6.17": "crl_missing",
  "4.13.19": "crl_missing",
  ...Object.fromEntries(
    [1, 4, 5, 7, 18, 19, 22, 24, 25, 28, 29, 30, 33].map((n) => [`4.14.${n}`, "crl_missing"]),
  ),
  "4.14.13": "ca_as_leaf",
  "4.15.2": "crl_missing", // delta lists
  "4.15.5": "crl_missing",
  "4.15.7": "crl_missing",
  "4.15.8": "crl_missing",
};

describe("NIST PKITS", () => {
  test.each(pkits.tests)("$name", ({ name, path, crls, valid }) => {
    const outcome = outcomeOf(path, crls);
    const refused = REFUSED[name.split(" ")[0] ?? ""];
    if (refused !== undefined) expect(outcome).toBe(refused);
    else if (valid) expect(outcome).toBe("valid");
    else expect(outcome).not.toBe("valid");
  });
});

function outcomeOf(path: readonly string[], crls: readonly string[]): string {
  try {
    const [anchor, ...rest] = path.map((file) => parseCertificate(octets(pkits.certificates, file)));
    const leaf = rest.pop();
    if (anchor === undefined || leaf === undefined) return "no path";
    const result = validatePath(leaf, createTrustBundle([anchor]), {
      now: new Date("2026-06-01T00:00:00Z"),
      purpose: "any",
      intermediates: rest,
      crls: crls.map((file) => parseCrl(octets(pkits.crls, file))),
    });
    return result.ok ? "valid" : result.code;
  } catch (error) {
    // Three of the damaged signatures have unused bits and are refused as soon as they are read.
    if (error instanceof X509Error) return error.code;
    throw error;
  }
}

function octets(table: Readonly<Record<string, string>>, name: string): Uint8Array {
  return Buffer.from(table[name] ?? "", "base64");
}
