import { createTestAuthority, type TestIdentity } from "@newleaf/testing";
import type { SecretContent } from "../src/secret-content.ts";

const authority = createTestAuthority();
const identities: TestIdentity[] = [];

/** Some certificate; the same number, the same certificate. */
export function certificateContent(number: number): SecretContent {
  while (identities.length <= number) identities.push(authority.issue({ dnsNames: ["web"] }));
  const { certificate, key } = identities[number]!;
  return { kind: "certificate", chain: [certificate], key };
}
