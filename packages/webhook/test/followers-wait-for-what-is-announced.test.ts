import { afterEach, beforeEach, expect, test } from "vitest";
import { annotationNames } from "../src/annotations.ts";
import { createFollowerFixture, type FollowerFixture } from "./follower-fixture.ts";

const SECOND = 1_000;
const NAMES = annotationNames();

let fixture: FollowerFixture;
beforeEach(async () => {
  fixture = await createFollowerFixture();
});
afterEach(() => fixture[Symbol.asyncDispose]());

test("a file that no Lease announces is not served; after 180 s that is an error which says so", async () => {
  const first = fixture.issue();
  fixture.mount.write(first.material);
  const following = fixture.follow();
  const failed = expect(following).rejects.toMatchObject({
    code: "ERR_WEBHOOK_NO_CERTIFICATE",
    message: expect.stringMatching(
      /^timeout waiting for webhook certificates: there is no Lease shop-webhook/,
    ),
  });
  await fixture.clock.advance(180 * SECOND);
  await failed;
  expect(fixture.clock.pending).toBe(0);
});

test("the error names both hashes when the kubelet never wrote what is announced", async () => {
  const [stale, announced] = [fixture.issue(), fixture.issue()];
  fixture.mount.write(stale.material);
  await fixture.announce(announced);
  const following = fixture.follow({ certTimeoutMs: 5 * SECOND });
  const failed = expect(following).rejects.toThrow(
    `Lease shop-webhook announces ${announced.certHash}, and ${stale.certHash} is mounted`,
  );
  await fixture.settle();
  await fixture.clock.advance(5 * SECOND);
  await failed;
});

test("told to wait for ever it does", async () => {
  const following = fixture.follow({ certTimeoutMs: Number.POSITIVE_INFINITY });
  await fixture.clock.advance(3_600 * SECOND);
  const first = fixture.issue();
  fixture.mount.write(first.material);
  await fixture.announce(first);
  expect((await following).current().number).toBe(1);
});

test("on every renewal the file waits for the Lease, and the Lease for the file", async () => {
  const first = fixture.issue();
  fixture.mount.write(first.material);
  await fixture.announce(first);
  const source = await fixture.follow();
  const { not_announced: before = 0 } = source.status().refusals;
  const early = fixture.issue();
  fixture.mount.write(early.material);
  await fixture.clock.advance(60 * SECOND);
  expect(source.current().number).toBe(1);
  expect(source.status()).toMatchObject({ stale: true, refusals: { not_announced: before + 1 } });
  await fixture.announce(early);
  expect(source.current().number).toBe(2);
  const late = fixture.issue();
  await fixture.announce(late);
  await fixture.clock.advance(60 * SECOND);
  expect(source.current().number).toBe(2);
  fixture.mount.write(late.material);
  expect(source.current().number).toBe(3);
});

test("a Lease that is deleted, or announces nothing, changes nothing", async () => {
  const first = fixture.issue();
  fixture.mount.write(first.material);
  await fixture.announce(first);
  const source = await fixture.follow();
  await fixture.deleteLease();
  fixture.mount.write(fixture.issue().material);
  await fixture.clock.advance(600 * SECOND);
  expect(source.current().leaf.sha256).toBe(first.identity.certificate.sha256);
});

test("the Pod says what is expected at once, asks again when nothing comes, and what is loaded in the end", async () => {
  const first = fixture.issue();
  fixture.mount.write(first.material);
  await fixture.announce(first);
  await fixture.follow();
  await fixture.settle();
  expect(await fixture.podAnnotations()).toEqual({
    [NAMES.acknowledgedCertHash]: first.certHash,
    [NAMES.acknowledgedCaHash]: first.caHash,
  });
  const next = fixture.issue();
  await fixture.announce(next);
  expect(await fixture.podAnnotations()).toMatchObject({
    [NAMES.expectedCertHash]: next.certHash,
    [NAMES.acknowledgedCertHash]: first.certHash,
    [NAMES.syncAttempt]: "0",
  });
  await fixture.clock.advance(60 * SECOND);
  expect(await fixture.podAnnotations()).toMatchObject({ [NAMES.syncAttempt]: "3" });
  fixture.mount.write(next.material);
  await fixture.clock.advance(2 * SECOND);
  expect(await fixture.podAnnotations()).toEqual({
    [NAMES.acknowledgedCertHash]: next.certHash,
    [NAMES.acknowledgedCaHash]: next.caHash,
  });
});

test("where the Pod may not be patched that is said once, the kubelet's own sync is waited for, and it is tried again later", async () => {
  fixture.api.faults.add({
    kind: "status",
    code: 403,
    reason: "Forbidden",
    verbs: ["patch"],
    resources: ["pods"],
  });
  const first = fixture.issue();
  fixture.mount.write(first.material);
  await fixture.announce(first);
  const source = await fixture.follow();
  const next = fixture.issue();
  await fixture.announce(next);
  await fixture.clock.advance(70 * SECOND);
  fixture.mount.write(next.material);
  await fixture.clock.advance(2 * SECOND);
  expect(source.current().number).toBe(2);
  expect(fixture.log.filter(({ level }) => level === "warn")).toHaveLength(1);
  fixture.api.faults.clear();
  await fixture.clock.advance(600 * SECOND);
  expect(await fixture.podAnnotations()).toMatchObject({ [NAMES.acknowledgedCertHash]: next.certHash });
});

test("an idle follower makes no request but its watch, and reads nothing every two seconds", async () => {
  const first = fixture.issue();
  fixture.mount.write(first.material);
  await fixture.announce(first);
  await fixture.follow();
  await fixture.settle();
  const before = fixture.api.audit.count;
  await fixture.clock.advance(240 * SECOND);
  expect(fixture.api.audit.entries.slice(before).filter(({ verb }) => verb !== "watch")).toEqual([]);
  expect(fixture.mount.reloads).toBe(0);
});

test("no log line holds anything of a key", async () => {
  const first = fixture.issue();
  fixture.mount.write({ ...first.material, key: `${first.identity.keyPem}x` });
  await fixture.announce(first);
  const following = fixture.follow();
  await fixture.settle();
  fixture.mount.write(first.material);
  await following;
  const secret = String(first.identity.keyPem).split("\n")[1]!;
  expect(JSON.stringify(fixture.log)).not.toContain(secret);
});
