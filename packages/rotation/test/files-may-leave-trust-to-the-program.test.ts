import { rm } from "node:fs/promises";
import { join } from "node:path";
import { watchFiles } from "@newleaf/rotation";
import { createTestAuthority, type TestIdentity, writePlainFiles } from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createScratch, generationOf, refusalOf } from "./outcomes.ts";

const authority = createTestAuthority({ intermediate: true });
const trust = createTrustBundle(authority.certificates);

test.each([
  ["in a directory", (directory: string) => ({ directory, files: { trust } })],
  [
    "each where it is",
    (directory: string) => ({
      certificate: join(directory, "tls.crt"),
      key: join(directory, "tls.key"),
      trust,
    }),
  ],
])(
  "certificate and key %s, and anchors that no file has: the chain must still verify",
  async (_, location) => {
    await using scratch = await createScratch();
    const write = async (identity: TestIdentity): Promise<void> => {
      await writePlainFiles(scratch.path, identity.files());
      await rm(join(scratch.path, "ca.crt"));
    };
    await write(authority.issue());
    await using source = await watchFiles({ ...location(scratch.path), settleMs: 20 });
    expect(source.current().trust).toBe(trust);
    await generationOf(
      source,
      ({ number }) => number === 2,
      () => write(authority.issue()),
    );
    const refusal = await refusalOf(source, "unverified_chain", () => write(createTestAuthority().issue()));
    expect(refusal.message).toMatch(/^tls\.crt does not verify to the trust bundle: /);
    expect(source.current().number).toBe(2);
  },
);

test("an empty bundle is refused like an empty file", async () => {
  await using scratch = await createScratch();
  await writePlainFiles(scratch.path, authority.issue().files());
  const files = { trust: createTrustBundle([]) };
  await expect(
    watchFiles({ directory: scratch.path, files, settleMs: 20, firstTimeoutMs: 200 }),
  ).rejects.toThrow(/trust bundle is empty/);
});
