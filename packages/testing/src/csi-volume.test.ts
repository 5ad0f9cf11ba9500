import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCertificates } from "@newleaf/x509";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CsiVolume, type CsiVolumeWrite, startCsiVolume } from "./csi-volume.ts";
import { createManualClock } from "./manual-clock.ts";
import { createTestAuthority } from "./test-authority.ts";

let directory: string;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), "newleaf-csi-")), "volume");
});
afterEach(() => rm(join(directory, ".."), { recursive: true, force: true }));

const clock = createManualClock(Date.UTC(2030, 0, 1));
const authority = createTestAuthority({ now: clock.now });
const stored = async (): Promise<string | undefined> =>
  parseCertificates(await readFile(join(directory, "tls.crt")))[0]?.sha256;

const nextWrite = async (volume: CsiVolume): Promise<CsiVolumeWrite> => {
  const [write] = await once(volume.events, "write", { signal: AbortSignal.timeout(5_000) });
  return write as CsiVolumeWrite;
};

test("renews at notAfter - renewBefore, with another key each time", async () => {
  await using volume = await startCsiVolume({
    directory,
    authority,
    clock,
    durationMs: 60_000,
    renewBeforeMs: 45_000,
  });
  const first = volume.current();
  expect(await stored()).toBe(first.sha256);
  expect(first).toMatchObject({ number: 1, reason: "first", notAfter: new Date(clock.now() + 60_000) });
  await clock.advance(14_999);
  expect(volume.current().number).toBe(1);
  const renewed = nextWrite(volume);
  await clock.advance(1);
  const second = await renewed;
  expect(second).toMatchObject({ number: 2, reason: "renewal" });
  expect(await stored()).toBe(second.sha256);
  expect(second.identity.key.equals(first.identity.key)).toBe(false);
});

test("renewBefore is a third of the lifetime unless it is shorter than that; time can be compressed", async () => {
  await using volume = await startCsiVolume({
    directory,
    authority,
    clock,
    durationMs: 3_600_000,
    renewBeforeMs: 3_600_000,
    compression: 60,
  });
  await clock.advance(39_999);
  expect(volume.current().number).toBe(1);
  const renewed = nextWrite(volume);
  await clock.advance(1);
  expect((await renewed).number).toBe(2);
});

test("a rollover publishes both, switches the leaf, and drops the old", async () => {
  await using volume = await startCsiVolume({ directory, authority, clock, durationMs: 60_000 });
  const { next, bothPem } = authority.roll();
  const trusted = await volume.setTrust(bothPem);
  expect(trusted).toMatchObject({ reason: "trust", sha256: volume.current().sha256 });
  expect(parseCertificates(await readFile(join(directory, "ca.crt")))).toHaveLength(2);
  const switched = await volume.setAuthority(next);
  expect(switched.reason).toBe("authority");
  expect(switched.identity.certificate.authorityKeyIdentifier?.keyIdentifier).toBe(
    next.root.certificate.subjectKeyIdentifier,
  );
  await volume.setTrust(next.trustPem);
  expect(await readFile(join(directory, "ca.crt"), "utf8")).toBe(next.trustPem);
});

test("a paused issuer lets the certificate grow old, and catches up", async () => {
  await using volume = await startCsiVolume({ directory, authority, clock, durationMs: 60_000 });
  volume.pause();
  await clock.advance(120_000);
  expect(volume.current().number).toBe(1);
  const renewed = nextWrite(volume);
  volume.resume();
  await clock.advance(0);
  expect((await renewed).number).toBe(2);
});

test("disposal stops the renewals and removes the directory", async () => {
  const volume = await startCsiVolume({ directory, authority, clock, durationMs: 60_000 });
  const pending = clock.pending;
  await volume[Symbol.asyncDispose]();
  expect(existsSync(directory)).toBe(false);
  expect(clock.pending).toBe(pending - 1);
});
