import { join } from "node:path";
import { watchFiles } from "@newleaf/rotation";
import { createTestAuthority } from "@newleaf/testing";
import { keyMatchesCertificate } from "@newleaf/x509";
import { expect, test } from "vitest";
import { readIdentity } from "../src/internal/read-identity.ts";
import { startFullSpeedWriter } from "./full-speed-writer.ts";
import { createScratch, eventually, MEMORY } from "./outcomes.ts";

test("every read during swaps at full speed is of one snapshot", async () => {
  await using scratch = await createScratch(MEMORY);
  const contents = Array.from({ length: 50 }, (_, n) => {
    const text = `${n} `.repeat(500);
    return { "tls.crt": text, "tls.key": text, "ca.crt": text };
  });
  const at = (name: string) => join(scratch.path, name);
  const paths = { certificate: at("tls.crt"), key: at("tls.key"), trust: at("ca.crt"), crl: undefined };
  const writer = startFullSpeedWriter(scratch.path, contents);
  const counts = { snapshots: 0, torn: 0, missing: 0 };
  while (counts.snapshots < 2_000) {
    const outcome = readIdentity(paths, 2 ** 20);
    if (outcome.ok) {
      const { certificates, key, trust } = outcome.material;
      if (new Set([certificates, key, trust].map(String)).size === 1) counts.snapshots++;
      else counts.torn++;
    } else if (counts.snapshots > 0) counts.missing++;
  }
  expect(await writer.finish()).toBeGreaterThanOrEqual(2_000);
  expect(counts).toMatchObject({ torn: 0, missing: 0 });
});

test("a source that follows swaps at full speed takes only whole identities and ends with the last", async () => {
  await using scratch = await createScratch(MEMORY);
  const authority = createTestAuthority();
  const identities = Array.from({ length: 20 }, () => authority.issue());
  const writer = startFullSpeedWriter(
    scratch.path,
    identities.map((identity) => identity.files()),
  );
  await using source = await watchFiles({ directory: scratch.path, settleMs: 20 });
  const { refusals } = source.status();
  let seen = 0;
  for await (const { key, leaf } of source.watch()) {
    expect(keyMatchesCertificate(key, leaf)).toBe(true);
    if (++seen === 20) break;
  }
  const swaps = await writer.finish();
  const last = identities[(swaps - 1) % identities.length]?.certificate.sha256;
  await eventually(() => source.current().leaf.sha256 === last, "the last identity is current");
  expect(source.status()).toMatchObject({ stale: false, refusals });
});
