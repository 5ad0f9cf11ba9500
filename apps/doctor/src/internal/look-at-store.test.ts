import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAtomicVolume, createTestAuthority, type TestIdentity } from "@newleaf/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { locateStore, lookAtStore } from "./look-at-store.ts";

const authority = createTestAuthority();
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "newleaf-doctor-"));
});
afterEach(() => rm(directory, { recursive: true }));

async function write(names: readonly [string, string, string], identity: TestIdentity): Promise<void> {
  const contents = [identity.chainPem, identity.keyPem, identity.trustPem];
  await Promise.all(names.map((name, index) => writeFile(join(directory, name), contents[index] ?? "")));
  await chmod(join(directory, names[1]), 0o640);
}

describe("lookAtStore", () => {
  test.each([
    [["tls.crt", "tls.key", "ca.crt"]],
    [["svid.pem", "svid_key.pem", "svid_bundle.pem"]],
    [["server.crt", "server.key", "root.crt"]],
  ] as const)("finds %s by their names", async (names) => {
    const identity = authority.issue();
    await write(names, identity);
    const store = await lookAtStore(await locateStore(directory));
    expect(store.leaf?.sha256).toBe(identity.certificate.sha256);
    expect(store.generation?.leaf.sha256).toBe(identity.certificate.sha256);
    expect(store.refusal).toBeUndefined();
    expect(store.files.map(({ path }) => path)).toEqual(names.map((name) => join(directory, name)));
    expect((store.files[1]?.found?.mode ?? 0) & 0o777).toBe(0o640);
  });

  test("reads a volume that is swapped as a whole from one side of a swap", async () => {
    await using volume = await createAtomicVolume(join(directory, "volume"));
    const identity = authority.issue();
    await volume.write(identity.files());
    const store = await lookAtStore(await locateStore(volume.directory));
    expect(store.leaf?.sha256).toBe(identity.certificate.sha256);
  });

  test("nothing there: three files that are missing, and nothing else", async () => {
    const store = await lookAtStore(await locateStore(directory));
    expect(store).toEqual({
      name: directory,
      files: ["tls.crt", "tls.key", "ca.crt"].map((name, index) => ({
        part: ["certificate", "key", "trust"][index],
        path: join(directory, name),
      })),
    });
  });

  test("a pair that does not match, and an expired one: the leaf all the same", async () => {
    const [one, other] = [authority.issue(), authority.issue()];
    await write(["tls.crt", "tls.key", "ca.crt"], one);
    await writeFile(join(directory, "tls.key"), other.keyPem);
    const mismatch = await lookAtStore(await locateStore(directory));
    expect(mismatch).toMatchObject({ refusal: { code: "key_mismatch" } });
    expect(mismatch.leaf?.sha256).toBe(one.certificate.sha256);
    expect(mismatch.generation).toBeUndefined();
    const expired = authority.issue({ defect: "expired" });
    await write(["tls.crt", "tls.key", "ca.crt"], expired);
    expect(await lookAtStore(await locateStore(directory))).toMatchObject({ refusal: { code: "expired" } });
  });

  test("without a bundle the pair alone is judged, and presented to nobody", async () => {
    const identity = authority.issue();
    await write(["tls.crt", "tls.key", "ca.crt"], identity);
    const pair = { name: "db", certificate: join(directory, "tls.crt"), key: join(directory, "tls.key") };
    const store = await lookAtStore(pair);
    expect(store).toMatchObject({ leaf: { sha256: identity.certificate.sha256 } });
    expect([store.refusal, store.generation]).toEqual([undefined, undefined]);
    await writeFile(pair.key, authority.issue().keyPem);
    expect(await lookAtStore(pair)).toMatchObject({ refusal: { code: "key_mismatch" } });
  });

  test("a directory in place of a file, and a file beyond all measure", async () => {
    const pair = { name: "db", certificate: directory, key: join(directory, "large") };
    await writeFile(pair.key, Buffer.alloc(1024 * 1024 + 1));
    const { files } = await lookAtStore(pair);
    expect(files.map(({ unreadable }) => unreadable)).toEqual(["not a regular file", "larger than 1 MiB"]);
  });
});
