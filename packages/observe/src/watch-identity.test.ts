import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createAtomicVolume,
  createSpiffeAuthority,
  createTestAuthority,
  startWorkloadApi,
} from "@newleaf/testing";
import { expect, test } from "vitest";
import { watchIdentity } from "./watch-identity.ts";

test("a directory", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-identity-"));
  try {
    await using volume = await createAtomicVolume(directory);
    const leaf = createTestAuthority().issue({ dnsNames: ["backend"] });
    await volume.write(leaf.files());
    await using identity = await watchIdentity(directory);
    expect(identity.current().leaf.sha256).toBe(leaf.certificate.sha256);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("the Workload API, by its address", async () => {
  await using api = await startWorkloadApi({ authority: createSpiffeAuthority() });
  await using identity = await watchIdentity(api.address);
  expect(identity.current().identity).toBe("spiffe://example.org/workload");
});

test("a Workload API without an identity for us is an identity that is missing", async () => {
  await using api = await startWorkloadApi({ authority: createSpiffeAuthority() });
  api.deny();
  const refused: string[] = [];
  const opening = watchIdentity(api.address, {
    waitMs: 2_000,
    onRefusal: ({ code }) => void refused.push(code),
  });
  await expect(opening).rejects.toMatchObject({ code: "ERR_ROTATION_NO_IDENTITY" });
  expect(refused).toContain("missing");
});

test.each([
  ["unix:relative", {}],
  ["tcp://localhost:80", {}],
  ["unix:///run/agent.sock", { crl: "crl.pem" }],
])("%s is bad usage", async (location, options) => {
  await expect(watchIdentity(location, options)).rejects.toMatchObject({ code: "ERR_DAEMON_USAGE" });
});
