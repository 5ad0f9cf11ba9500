import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A certificate authority kept by the openssl program: certificates that our own code had no part in. */
export interface OpensslAuthority {
  readonly directory: string;
  readonly caFile: string;
  /** Writes tls.crt, tls.key, ca.crt into `directory` (made when absent). `extensions` are lines of an openssl config. */
  issue(directory: string, options: OpensslIssueOptions): void;
  /** A CRL with the certificate in `file` revoked. */
  revoke(file: string, crlFile: string): void;
  emptyCrl(crlFile: string): void;
}

interface OpensslIssueOptions {
  readonly name: string;
  readonly san: string;
  readonly usage?: "clientAuth" | "serverAuth" | "serverAuth,clientAuth";
  readonly ca?: boolean;
  /** As `openssl ca -startdate/-enddate` take them; absent = now and a day. */
  readonly start?: string;
  readonly end?: string;
}

const openssl = (args: readonly string[]): void => {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
};

/** A new root, or with `parent` an intermediate of it (its certificate and key are then `ca.crt` and `ca.key` here). */
export function createOpensslAuthority(
  directory: string,
  name: string,
  parent?: OpensslAuthority,
): OpensslAuthority {
  mkdirSync(join(directory, "new"), { recursive: true });
  const file = (path: string): string => join(directory, path);
  writeFileSync(file("index.txt"), "");
  writeFileSync(file("index.txt.attr"), "unique_subject = no\n");
  writeFileSync(file("crlnumber"), "01\n");
  if (parent !== undefined) {
    parent.issue(directory, { name, san: `DNS:${name}`, ca: true });
    renameSync(file("tls.crt"), file("ca.crt"));
    renameSync(file("tls.key"), file("ca.key"));
  } else openssl(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
    "-subj", `/CN=${name}`, "-keyout", file("ca.key"), "-out", file("ca.crt"),
    "-addext", "keyUsage=critical,keyCertSign,cRLSign"]); // biome-ignore format: one command line

  const config = (extensions: string): string => {
    const path = file(`ca-${process.hrtime.bigint()}.cnf`);
    writeFileSync(
      path,
      `[ca]\ndefault_ca=here\n[here]\ndatabase=${file("index.txt")}\nnew_certs_dir=${file("new")}
rand_serial=yes\ndefault_md=sha256\ndefault_days=1\ndefault_crl_days=1\npolicy=any\nx509_extensions=leaf\ncrlnumber=${file("crlnumber")}
certificate=${file("ca.crt")}\nprivate_key=${file("ca.key")}\n[any]\ncommonName=optional\n[leaf]\n${extensions}\n`,
    );
    return path;
  };

  return {
    directory,
    caFile: file("ca.crt"),
    issue(target, options) {
      mkdirSync(target, { recursive: true });
      const request = join(target, "tls.csr");
      openssl(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", `/CN=${options.name}`, "-keyout", join(target, "tls.key"), "-out", request]); // biome-ignore format: one command line
      const extensions = `subjectAltName=${options.san}\nbasicConstraints=critical,CA:${options.ca ? "TRUE" : "FALSE"}\nkeyUsage=critical,digitalSignature${options.ca ? ",keyCertSign,cRLSign" : ""}
extendedKeyUsage=${options.usage ?? "serverAuth,clientAuth"}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid`;
      const dates = [
        ...(options.start === undefined ? [] : ["-startdate", options.start]),
        ...(options.end === undefined ? [] : ["-enddate", options.end]),
      ];
      openssl([
        "ca",
        "-batch",
        "-notext",
        "-config",
        config(extensions),
        ...dates,
        "-in",
        request,
        "-out",
        join(target, "tls.crt"),
      ]);
      execFileSync("cp", [file("ca.crt"), join(target, "ca.crt")]);
    },
    revoke(certificate, crlFile) {
      openssl(["ca", "-config", config(""), "-revoke", certificate]);
      openssl(["ca", "-config", config(""), "-gencrl", "-out", crlFile]);
    },
    emptyCrl(crlFile) {
      openssl(["ca", "-config", config(""), "-gencrl", "-out", crlFile]);
    },
  };
}
