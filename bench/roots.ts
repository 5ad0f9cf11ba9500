import { type Certificate, createRoot, generateKey, type KeyAlgorithm } from "@newleaf/x509";

const algorithms: readonly KeyAlgorithm[] = ["ecdsa-p256", "ecdsa-p384", "rsa-2048"];

/** Self-signed roots with names of their own; keys are few, because making them takes long and shows nowhere. */
export function createRoots(count: number): readonly Certificate[] {
  const keys = algorithms.map((algorithm) => generateKey(algorithm).privateKey);
  return Array.from({ length: count }, (_, index) => {
    const key = keys[index % keys.length]!;
    const subject = `CN=Root ${index},O=Authority ${index},C=XX`;
    return createRoot({ subject, key, notAfter: new Date(Date.now() + 86_400_000) }).certificate;
  });
}
