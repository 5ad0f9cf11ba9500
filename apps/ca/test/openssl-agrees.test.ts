import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newleaf } from "./run-newleaf.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

const absent = spawnSync("openssl", ["version"]).status !== 0;
const openssl = (...argv: string[]) => execFileSync("openssl", argv, { encoding: "utf8", stdio: "pipe" });

test.skipIf(absent).each(["ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519"])(
  "openssl (skipped where absent) verifies what a %s authority issues, and its revocation list",
  async (algorithm) => {
    using directory = createTemporaryDirectory();
    const ca = directory.file("ca");
    const out = directory.file("certs");
    const [root, leaf, crl] = [join(ca, "ca.crt"), join(out, "tls.crt"), join(ca, "crl.pem")];
    await newleaf(["ca", "init", ca, "--algorithm", algorithm]);
    await newleaf(["ca", "issue", "backend", "--ca", ca, "--out", out, "--algorithm", algorithm]);
    for (const purpose of ["sslserver", "sslclient"]) {
      expect(openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", root, leaf)).toBe(
        `${leaf}: OK\n`,
      );
    }
    expect(openssl("verify", "-crl_check", "-CRLfile", crl, "-CAfile", root, leaf)).toBe(`${leaf}: OK\n`);
    const publicKey = openssl("pkey", "-in", join(out, "tls.key"), "-pubout");
    expect(openssl("x509", "-in", leaf, "-noout", "-pubkey")).toBe(publicKey);
    expect(openssl("x509", "-in", leaf, "-noout", "-ext", "subjectAltName")).toContain(
      "DNS:backend, DNS:localhost, IP Address:127.0.0.1",
    );

    await newleaf(["ca", "revoke", "backend", "--ca", ca, "--reason", "superseded"]);
    const list = openssl("crl", "-in", crl, "-noout", "-text", "-CAfile", root);
    expect(list).toMatch(/CRL Number: \n\s+2\n/);
    expect(list).toContain("Superseded");
    const refused = spawnSync("openssl", ["verify", "-crl_check", "-CRLfile", crl, "-CAfile", root, leaf], {
      encoding: "utf8",
    });
    expect(refused.stderr).toContain("certificate revoked");
  },
);
