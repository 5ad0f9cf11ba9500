import { watchFiles } from "@newleaf/rotation";
import { createAtomicVolume, createManualClock, createTestAuthority } from "@newleaf/testing";
import { encodePem, issueCrl } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createScratch, generationOf, refusalOf } from "./outcomes.ts";

const authority = createTestAuthority({ intermediate: true });
const identity = authority.issue({ dnsNames: ["backend"] });
const crlFiles = { crl: "crl.pem" };

async function startWithLists() {
  const scratch = await createScratch();
  const volume = await createAtomicVolume(`${scratch.path}/tls`);
  const write = (crl: string | undefined) =>
    volume.write({ ...identity.files(), ...(crl !== undefined && { "crl.pem": crl }) });
  await write(authority.crlPem());
  const source = await watchFiles({ directory: volume.directory, files: crlFiles, settleMs: 20 });
  return {
    source,
    write,
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}

test("a list from each authority makes a generation, and a newer list alone makes the next", async () => {
  await using started = await startWithLists();
  const first = started.source.current();
  expect(first.crls).toHaveLength(2);
  authority.revoke(authority.issue());
  const second = await generationOf(
    started.source,
    ({ number }) => number === 2,
    () => started.write(authority.crlPem()),
  );
  expect(second.leaf.sha256).toBe(first.leaf.sha256);
  expect(second.contentSha256).not.toBe(first.contentSha256);
});

const bad = [
  ["a missing file", "crl_missing", () => undefined, /crl.pem is missing/],
  ["an empty file", "empty", () => "", /^crl.pem is empty/],
  ["garbage", "bad_crl", () => "none\n", /^crl.pem holds no revocation list/],
  ["half a list", "bad_crl", () => authority.crlPem().slice(0, -60), /^crl.pem is damaged/],
  [
    "a list too few",
    "crl_missing",
    () => authority.crlPem({ withoutRoot: true }),
    /none issued by CN=Newleaf test root/,
  ],
  ["an expired list", "crl_expired", () => authority.crlPem({ expired: true }), /expired at/],
  [
    "a list of the same name by another key",
    "crl_missing",
    () => createTestAuthority({ intermediate: true }).crlPem(),
    /none issued by/,
  ],
] as const;

test.each(bad)("%s is refused and the lists before are kept", async (_what, code, crl, message) => {
  await using started = await startWithLists();
  const kept = started.source.current();
  const refusal = await refusalOf(started.source, code, () => started.write(crl()));
  expect(refusal.message).toMatch(message);
  expect(started.source.current()).toBe(kept);
  await generationOf(
    started.source,
    ({ number }) => number === 2,
    () => started.write(authority.crlPem()),
  );
  expect(started.source.status().stale).toBe(false);
});

test("an own certificate that is revoked is refused", async () => {
  const other = createTestAuthority({ intermediate: true });
  const revoked = other.issue({ dnsNames: ["backend"], defect: "revoked" });
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(`${scratch.path}/tls`);
  await volume.write({ ...revoked.files(), "crl.pem": other.crlPem() });
  const failed = watchFiles({ directory: volume.directory, files: crlFiles, firstTimeoutMs: 100 });
  await expect(failed).rejects.toThrow(/revoked/);
});

test("lists of a kept identity that expire are a warning from then on", async () => {
  const clock = createManualClock();
  const root = createTestAuthority({ now: clock.now });
  const thisUpdate = new Date(clock.now());
  const nextUpdate = new Date(clock.now() + 60_000);
  const crl = issueCrl(root.root, { revoked: [], thisUpdate, nextUpdate, number: 1 });
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(`${scratch.path}/tls`);
  await volume.write({ ...root.issue().files(), "crl.pem": encodePem("X509 CRL", crl.der) });
  await using source = await watchFiles({ directory: volume.directory, files: crlFiles, clock });
  expect(source.status().warnings).toEqual([]);
  await clock.advance(60_001);
  expect(source.status().warnings).toEqual([
    expect.stringMatching(/^revocation list of CN=Newleaf test root expired .*: its peers are refused$/),
  ]);
});
