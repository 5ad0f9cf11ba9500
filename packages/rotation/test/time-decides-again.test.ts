import { createIdentityHolder, type Logger, watchFiles } from "@newleaf/rotation";
import { createAtomicVolume, createManualClock, createTestAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { createScratch, generationOf, refusalOf } from "./outcomes.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

async function startVolume() {
  const clock = createManualClock();
  const authority = createTestAuthority({ now: clock.now });
  const scratch = await createScratch();
  const volume = await createAtomicVolume(`${scratch.path}/tls`);
  return { clock, authority, volume, [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose]() };
}

test("when the last good identity expires the source says so and goes on", async () => {
  await using started = await startVolume();
  const { clock, authority, volume } = started;
  await volume.write(authority.issue({ ttlMs: HOUR }).files());
  const logged: string[] = [];
  const log = (_fields: object, message: string) => void logged.push(message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  await using source = await watchFiles({ directory: volume.directory, clock, logger });
  await clock.advance(HOUR - 1);
  expect(source.status()).toMatchObject({ expired: false, stale: false });
  await clock.advance(2);
  expect(source.status()).toMatchObject({ expired: true, stale: false });
  expect(logged.filter((message) => message === "identity expired")).toHaveLength(1);
  await clock.advance(2 * MINUTE);
  expect(logged.filter((message) => message === "identity expired")).toHaveLength(1);
  await generationOf(
    source,
    ({ number }) => number === 2,
    () => volume.write(authority.issue().files()),
  );
  expect(source.status().expired).toBe(false);
});

test("a clock that steps forward past the end is noticed within a minute", async () => {
  await using started = await startVolume();
  const { clock, authority, volume } = started;
  await volume.write(authority.issue({ ttlMs: HOUR }).files());
  const logged: string[] = [];
  const log = (_fields: object, message: string) => void logged.push(message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  await using source = await watchFiles({ directory: volume.directory, clock, logger });
  clock.step(2 * HOUR);
  expect(source.status().expired).toBe(true);
  expect(logged).not.toContain("identity expired");
  await clock.advance(MINUTE);
  expect(logged).toContain("identity expired");
  clock.step(-2 * HOUR);
  expect(source.status().expired).toBe(false);
});

test("a certificate that is not valid yet is taken when its time has come", async () => {
  await using started = await startVolume();
  const { clock, authority, volume } = started;
  await volume.write(authority.issue({ ttlMs: 3 * HOUR }).files());
  await using source = await watchFiles({ directory: volume.directory, clock });
  const notBefore = new Date(clock.now() + HOUR);
  const early = authority.issue({ notBefore, notAfter: new Date(clock.now() + 2 * HOUR) });
  await refusalOf(source, "not_yet_valid", () => volume.write(early.files()));
  await clock.advance(HOUR - 1_000);
  expect(source.current().number).toBe(1);
  await clock.advance(2_000);
  expect(source.current().leaf.sha256).toBe(early.certificate.sha256);
  expect(source.status()).toMatchObject({ stale: false, updates: 2, refusals: { not_yet_valid: 1 } });
  expect(source.current().verifiedAt.getTime()).toBeGreaterThanOrEqual(notBefore.getTime());
});

test("a certificate that is not valid yet is taken within a minute of the clock being set right", async () => {
  await using started = await startVolume();
  const { clock, authority, volume } = started;
  await volume.write(authority.issue({ ttlMs: 3 * HOUR }).files());
  await using source = await watchFiles({ directory: volume.directory, clock });
  const ahead = authority.issue({ notBefore: new Date(clock.now() + HOUR), ttlMs: 2 * HOUR });
  await refusalOf(source, "not_yet_valid", () => volume.write(ahead.files()));
  clock.step(HOUR);
  await clock.advance(MINUTE);
  expect(source.current().leaf.sha256).toBe(ahead.certificate.sha256);
});

test("what was refused as expired by a clock that ran ahead is taken once the clock is set back", async () => {
  await using started = await startVolume();
  const { clock, authority, volume } = started;
  await volume.write(authority.issue({ ttlMs: 12 * HOUR }).files());
  await using source = await watchFiles({ directory: volume.directory, clock });
  const good = authority.issue({ ttlMs: HOUR });
  clock.step(2 * HOUR);
  await refusalOf(source, "expired", () => volume.write(good.files()));
  clock.step(-2 * HOUR);
  await clock.advance(MINUTE);
  expect(source.current().leaf.sha256).toBe(good.certificate.sha256);
  expect(source.status()).toMatchObject({ stale: false, refusals: { expired: 1 } });
});

test("a newer update replaces the one that waits for its time", async () => {
  const clock = createManualClock();
  const authority = createTestAuthority({ now: clock.now });
  const holder = createIdentityHolder({ clock });
  const material = ({ certificatePem, keyPem, trustPem }: ReturnType<typeof authority.issue>) => ({
    certificates: certificatePem,
    key: keyPem,
    trust: trustPem,
  });
  const waiting = authority.issue({ notBefore: new Date(clock.now() + HOUR), ttlMs: 3 * HOUR });
  expect(holder.offer(material(waiting)).outcome).toBe("refused");
  const good = authority.issue({ ttlMs: 3 * HOUR });
  expect(holder.offer(material(good)).outcome).toBe("accepted");
  await clock.advance(2 * HOUR);
  expect(holder.current()?.leaf.sha256).toBe(good.certificate.sha256);
  holder.close();
  expect(clock.pending).toBe(0);
});

test("a renewal that does not come is a warning past two thirds of the life", async () => {
  await using started = await startVolume();
  const { clock, authority, volume } = started;
  await volume.write(authority.issue({ ttlMs: HOUR }).files());
  await using source = await watchFiles({ directory: volume.directory, clock });
  await clock.advance(40 * MINUTE);
  expect(source.status().warnings).toEqual([]);
  await clock.advance(5 * MINUTE);
  expect(source.status().warnings).toEqual([
    expect.stringMatching(/^generation 1 is past two thirds of its life and was not renewed; expires /),
  ]);
});
