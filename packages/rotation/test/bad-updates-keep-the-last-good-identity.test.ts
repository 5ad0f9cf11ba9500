import { watchFiles } from "@newleaf/rotation";
import {
  createAtomicVolume,
  createTestAuthority,
  deleteFiles,
  replaceDirectory,
  type TestIdentity,
  type VolumeFiles,
  withoutDataLink,
  writeEmpty,
  writeHalf,
  writeTornPair,
  writeUnreadable,
} from "@newleaf/testing";
import { expect, test } from "vitest";
import { createScratch, generationOf, refusalOf } from "./outcomes.ts";

const authority = createTestAuthority({ intermediate: true });
const stranger = createTestAuthority({ name: "Stranger" });
const dnsNames = ["backend.shop.svc"];

/** Starts on a good volume; `spoil` makes it bad, and a good write afterwards must heal it without further help. */
async function keptThrough(
  code: Parameters<typeof refusalOf>[1],
  spoil: (volume: Awaited<ReturnType<typeof createAtomicVolume>>, good: TestIdentity) => Promise<unknown>,
  message: RegExp,
): Promise<void> {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(`${scratch.path}/tls`);
  const good = authority.issue({ dnsNames });
  await volume.write(good.files());
  await using source = await watchFiles({ directory: volume.directory, settleMs: 20 });
  const kept = source.current();

  const refusal = await refusalOf(source, code, () => spoil(volume, good));
  expect(refusal.message).toMatch(message);
  expect(refusal.message).toMatch(/; keeping generation 1 \(expires .+Z\)$/);
  expect(refusal.message).not.toMatch(/[A-Za-z0-9+/]{41}/);
  expect(refusal.kept).toBe(1);
  expect(source.current()).toBe(kept);
  expect(source.status()).toMatchObject({ stale: true, expired: false, refusals: { [code]: 1 }, updates: 1 });
  expect(source.status().lastRefusal).toBe(refusal);

  const healed = authority.issue({ dnsNames });
  await generationOf(
    source,
    ({ leaf }) => leaf.sha256 === healed.certificate.sha256,
    () => volume.write(healed.files()),
  );
  expect(source.current().number).toBe(2);
  expect(source.status()).toMatchObject({ stale: false, updates: 2 });
}

const next = (options: Parameters<typeof authority.issue>[0] = {}): VolumeFiles =>
  authority.issue({ dnsNames, ...options }).files();

test("a torn pair published as one snapshot is refused", () =>
  keptThrough(
    "key_mismatch",
    (volume) => writeTornPair(volume, next()),
    /tls.key does not belong to the certificate CN=backend/,
  ));

test("half a PEM certificate is refused", () =>
  keptThrough("bad_pem", (volume) => writeHalf(volume, "tls.crt"), /^tls.crt is damaged/));

test("half a PEM key is refused", () =>
  keptThrough("bad_key", (volume) => writeHalf(volume, "tls.key"), /^tls.key is damaged/));

test("an empty certificate is refused", () =>
  keptThrough("empty", (volume) => writeEmpty(volume, "tls.crt"), /^tls.crt is empty/));

test("an empty key is refused", () =>
  keptThrough("empty", (volume) => writeEmpty(volume, "tls.key"), /^tls.key is empty/));

test("an expired certificate is refused", () =>
  keptThrough("expired", (volume) => volume.write(next({ defect: "expired" })), /CN=backend.+ expired at/));

test("a certificate that is not valid yet is refused", () =>
  keptThrough(
    "not_yet_valid",
    (volume) => volume.write(next({ defect: "not_yet_valid" })),
    /CN=backend.+ is not valid before/,
  ));

test("a chain that does not verify to the bundle is refused", () =>
  keptThrough(
    "unverified_chain",
    (volume) => volume.write(authority.issue({ dnsNames }).files(stranger.trustPem)),
    /^tls.crt does not verify to ca.crt: /,
  ));

test("a chain without its intermediate is refused", () =>
  keptThrough(
    "unverified_chain",
    (volume) => volume.write(next({ defect: "chain_incomplete" })),
    /^tls.crt does not verify to ca.crt: /,
  ));

test("a CA certificate used as leaf is refused", () =>
  keptThrough(
    "unverified_chain",
    (volume) => volume.write(next({ defect: "ca_as_leaf" })),
    /does not verify/,
  ));

test("an empty bundle is refused, never read as the system's default roots", () =>
  keptThrough("empty_bundle", (volume) => writeEmpty(volume, "ca.crt"), /^ca.crt is empty/));

test("a garbage bundle is refused", () =>
  keptThrough(
    "bad_bundle",
    (volume, good) => volume.write({ ...good.files(), "ca.crt": "not a certificate\n" }),
    /^ca.crt holds no certificate/,
  ));

test("a bundle with a good and half a certificate is refused", () =>
  keptThrough(
    "bad_bundle",
    (volume, good) =>
      volume.write({ ...good.files(), "ca.crt": good.trustPem + stranger.trustPem.slice(0, 200) }),
    /^ca.crt is damaged/,
  ));

test("a bundle with an entry of another kind is refused", () =>
  keptThrough(
    "bad_bundle",
    (volume, good) => volume.write({ ...good.files(), "ca.crt": good.trustPem + authority.crlPem() }),
    /^ca.crt holds a X509 CRL block/,
  ));

test("an unreadable file is refused", () =>
  keptThrough(
    "unreadable",
    (volume) => writeUnreadable(volume, "tls.key"),
    /tls\/tls.key is not a regular file/,
  ));

test("a file without end is refused", () =>
  keptThrough(
    "too_large",
    (volume, good) => volume.write({ ...good.files(), "ca.crt": Buffer.alloc(2 ** 20 + 1, "\n") }),
    /ca.crt has more than 1048576 octets/,
  ));

test("deleted files are refused", () =>
  keptThrough("missing", (volume) => deleteFiles(volume), /tls.crt is missing/));

test("a volume without ..data for a while is refused until it is back", () =>
  keptThrough("missing", (volume) => withoutDataLink(volume), /tls.crt is missing/));

test("a directory replaced by an empty one is refused, and writes into the new one are seen", () =>
  keptThrough("missing", (volume) => replaceDirectory(volume, {}), /tls.crt is missing/));

test("a changed identity is refused", () =>
  keptThrough(
    "identity_changed",
    (volume) => volume.write(next({ dnsNames: ["other.shop.svc"] })),
    /from dns:backend.shop.svc, ip:127.0.0.1 to dns:other.shop.svc, ip:127.0.0.1/,
  ));

test("a key that OpenSSL does not load is refused", () =>
  keptThrough(
    "bad_key",
    (volume, good) =>
      volume.write({
        ...good.files(),
        "tls.key": good.key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }),
      }),
    /^tls.key is damaged/,
  ));

test("a changed identity is taken when that is allowed", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(`${scratch.path}/tls`);
  await volume.write(next());
  await using source = await watchFiles({ directory: volume.directory, allowIdentityChange: true });
  await generationOf(
    source,
    ({ identity }) => identity === "other.shop.svc",
    () => volume.write(next({ dnsNames: ["other.shop.svc"] })),
  );
  expect(source.status().refusals).toEqual({});
});

test("the good content coming back ends the stale state without a new generation", async () => {
  await using scratch = await createScratch();
  await using volume = await createAtomicVolume(`${scratch.path}/tls`);
  const good = authority.issue({ dnsNames });
  await volume.write(good.files());
  await using source = await watchFiles({ directory: volume.directory });
  await refusalOf(source, "empty_bundle", () => writeEmpty(volume, "ca.crt"));
  await volume.write(good.files());
  await source.reload();
  expect(source.status()).toMatchObject({ stale: false, updates: 1, refusals: { empty_bundle: 1 } });
});
