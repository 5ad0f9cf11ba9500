import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createIdentityHolder, watchFiles } from "@newleaf/rotation";
import { createTestAuthority, writePlainFiles } from "@newleaf/testing";
import { expect, test } from "vitest";
import { startFullSpeedWriter } from "./full-speed-writer.ts";
import { createScratch, eventually, MEMORY } from "./outcomes.ts";

const authority = createTestAuthority();
const identities = Array.from({ length: 40 }, () => authority.issue());

test("of a thousand swaps in a second the last one wins at once", async () => {
  await using scratch = await createScratch(MEMORY);
  const contents = identities.map((identity) => identity.files());
  const writer = startFullSpeedWriter(scratch.path, contents, 1_000);
  await using source = await watchFiles({ directory: scratch.path, settleMs: 20 });
  const swaps = await writer.finish();
  const over = performance.now();
  const last = identities[(swaps - 1) % identities.length]!.certificate.sha256;
  await eventually(() => source.current().leaf.sha256 === last, "the last identity is current");
  expect(performance.now() - over).toBeLessThan(500);
  const { stale, updates } = source.status();
  expect(stale).toBe(false);
  // At most one in ten milliseconds is looked at, and none is left for later.
  expect(updates).toBeLessThan(900);
  await delay(50);
  expect(source.status().updates).toBe(updates);
});

test("of a thousand writes in place, mostly torn when seen, the last one wins", async () => {
  await using scratch = await createScratch(MEMORY);
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

test("a reader that is slower than hundreds of offers sees the first and the last", async () => {
  const holder = createIdentityHolder();
  const offer = (identity: (typeof identities)[number]) =>
    holder.offer({ certificates: identity.chainPem, key: identity.key, trust: authority.trustPem });
  offer(identities[0]!);
  const source = holder.asSource({ reload: async () => {}, close: async () => {} });
  const slow = source.watch();
  expect((await slow.next()).value.number).toBe(1);
  for (let n = 1; n <= 300; n++) offer(identities[n % identities.length]!);
  expect((await slow.next()).value.number).toBe(301);
  const later = slow.next();
  await source[Symbol.asyncDispose]();
  expect(await later).toEqual({ done: true, value: undefined });
});
