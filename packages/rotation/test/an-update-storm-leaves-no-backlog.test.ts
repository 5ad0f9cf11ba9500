import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createIdentityHolder, watchFiles } from "@newleaf/rotation";
import { createAtomicVolume, createTestAuthority, writePlainFiles } from "@newleaf/testing";
import { expect, test } from "vitest";
import { createScratch, eventually } from "./outcomes.ts";

const authority = createTestAuthority();
const identities = Array.from({ length: 40 }, () => authority.issue());

test("of a thousand swaps in a second the last one wins at once", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(join(scratch.path, "tls"));
  await volume.write(authority.issue().files());
  await using source = await watchFiles({ directory: volume.directory });
  for (let n = 0; n < 1_000; n++) await volume.write(identities[n % identities.length]!.files());
  const over = performance.now();
  const last = identities[999 % identities.length]!.certificate.sha256;
  await eventually(() => source.current().leaf.sha256 === last, "the last identity is current");
  expect(performance.now() - over).toBeLessThan(500);
  expect(source.status()).toMatchObject({ stale: false, refusals: {} });
  // At most one in ten milliseconds is looked at.
  expect(source.status().updates).toBeLessThan(900);
  const { updates } = source.status();
  await delay(50);
  expect(source.status().updates).toBe(updates);
});

test("of a thousand writes in place, mostly torn when seen, the last one wins", async () => {
  await using scratch = await createScratch();
  const directory = join(scratch.path, "tls");
  await writePlainFiles(directory, authority.issue().files());
  await using source = await watchFiles({ directory, settleMs: 30 });
  for (let n = 0; n < 1_000; n++) {
    const identity = identities[n % identities.length]!;
    writeFileSync(
      join(directory, n % 2 ? "tls.crt" : "tls.key"),
      n % 2 ? identity.chainPem : identity.keyPem,
    );
    if (n % 10 === 0) await delay(5);
  }
  const last = authority.issue();
  await writePlainFiles(directory, last.files());
  await eventually(() => source.current().leaf.sha256 === last.certificate.sha256, "the last is current");
  expect(source.status().stale).toBe(false);
});

test("a reader that is slower than a thousand offers sees the first and the last", async () => {
  const holder = createIdentityHolder();
  const offer = (identity: (typeof identities)[number]) =>
    holder.offer({ certificates: identity.chainPem, key: identity.key, trust: authority.trustPem });
  offer(identities[0]!);
  const source = holder.asSource({ reload: async () => {}, close: async () => {} });
  const slow = source.watch();
  expect((await slow.next()).value.number).toBe(1);
  for (let n = 1; n <= 1_000; n++) offer(identities[n % identities.length]!);
  expect((await slow.next()).value.number).toBe(1_001);
  const later = slow.next();
  await source[Symbol.asyncDispose]();
  expect(await later).toEqual({ done: true, value: undefined });
});
