import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTestAuthority, type TestAuthority, type TestIdentity } from "@newleaf/testing";

/** One root for servers and clients, ECDSA P-256 throughout, as cert-manager's CSI driver would sign. */
export interface BenchAuthority {
  issueServer(): TestIdentity;
  /** The folder of the clients' identity. */
  readonly client: string;
}

export function createBenchAuthority(home: string): BenchAuthority {
  const authority: TestAuthority = createTestAuthority();
  const client = join(home, "client");
  writeFiles(client, authority.issue({ dnsNames: ["client.bench"], ttlMs: 86_400_000 }));
  return { client, issueServer: () => authority.issue({ dnsNames: ["localhost"], ttlMs: 86_400_000 }) };
}

function writeFiles(directory: string, identity: TestIdentity): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(identity.files()))
    writeFileSync(join(directory, name), content);
}
