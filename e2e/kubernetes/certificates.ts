import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTestAuthority, type TestIdentity, type TestIssueOptions } from "@newleaf/testing";

/** Certificates and keys of a control plane in one folder, in files that only their owner can read. */
export interface ControlPlaneCertificates {
  readonly caFile: string;
  readonly caPem: string;
  /** What the API server shows: `tls.crt` and `tls.key`, which it reads again by itself. */
  readonly serving: { readonly certFile: string; readonly keyFile: string };
  /** Signs and verifies tokens of service accounts. */
  readonly serviceAccounts: { readonly keyFile: string; readonly publicKeyFile: string };
  /** A client certificate: the user is its CN, the groups its Os. */
  issueUser(user: string, groups: readonly string[]): { readonly certFile: string; readonly keyFile: string };
}

const dayMs = 86_400_000;

export function createControlPlaneCertificates(directory: string): ControlPlaneCertificates {
  const authority = createTestAuthority({ name: "e2e Kubernetes" });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const write = (name: string, text: string): string => {
    const file = join(directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const issue = (name: string, options: TestIssueOptions): { certFile: string; keyFile: string } => {
    const identity: TestIdentity = authority.issue({ ttlMs: dayMs, ...options });
    return {
      certFile: write(`${name}.crt`, identity.chainPem),
      keyFile: write(`${name}.key`, identity.keyPem),
    };
  };
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

  return {
    caFile: write("ca.crt", authority.trustPem),
    caPem: authority.trustPem,
    serving: issue("serving", { dnsNames: ["localhost", "kubernetes.default.svc"] }),
    serviceAccounts: {
      keyFile: write("service-accounts.key", privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
      publicKeyFile: write(
        "service-accounts.pub",
        publicKey.export({ type: "spki", format: "pem" }).toString(),
      ),
    },
    issueUser: (user, groups) => {
      const subject = [`CN=${user}`, ...groups.map((group) => `O=${group}`)].join(",");
      return issue(`user-${user.replace(/[^\w.-]/g, "_")}`, { dnsNames: [], ips: [], extra: { subject } });
    },
  };
}
