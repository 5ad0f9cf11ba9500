import { chmod, rename, stat } from "node:fs/promises";
import { createSpiffeAuthority } from "@newleaf/testing";
import { parseCertificates } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createWorld, eventually } from "./helper-world.ts";

test("every rotation is written, each as a rotation record, and stopping ends with 0", async () => {
  await using world = await createWorld();
  const helper = await world.helper();
  await world.untilCurrent();
  for (let turn = 0; turn < 5; turn++) {
    world.api.rotate();
    await world.untilCurrent();
  }
  expect((await stat(world.path("key.pem"))).mode & 0o777).toBe(0o600);
  await eventually(
    async () => JSON.parse((await helper.admin("/rotations")).body).rotations[0],
  ).toMatchObject({
    generation: 6,
    outcome: "complete",
    consumers: [{ name: "files" }],
  });
  expect(await helper.stop()).toBe(0);
});

test("issue #221: the helper keeps trying while there is no agent, is not ready meanwhile, and writes when it comes", async () => {
  await using world = await createWorld({ started: false });
  const helper = await world.helper();
  await helper.untilLogged("identity update refused");
  expect((await helper.admin("/readyz")).body).toMatch(
    /identity: the Workload API is unavailable: .*no identity to keep yet/,
  );
  expect((await helper.admin("/livez")).status).toBe(200);
  expect((await helper.admin("/metrics")).body).toContain("newleaf_workload_api_connected 0");
  await world.api.start();
  await world.untilCurrent();
  await eventually(async () => (await helper.admin("/readyz")).status).toBe(200);
});

test("the agent goes away and comes back: the files stay, and are current again", async () => {
  await using world = await createWorld();
  const helper = await world.helper();
  await world.untilCurrent();
  const before = await world.serial();
  await world.api.stop();
  await helper.untilLogged("identity update refused");
  expect(await world.serial()).toBe(before);
  expect((await helper.admin("/readyz")).status).toBe(200);
  expect((await helper.admin("/metrics")).body).toContain("newleaf_workload_api_connected 0");
  await world.api.start();
  world.api.rotate();
  await world.untilCurrent();
});

test("issue #367: the file of authorities changes when only these change", async () => {
  await using world = await createWorld();
  await world.helper();
  await world.untilCurrent();
  const authorities = async () => parseCertificates(await world.text("bundle.pem")).length;
  expect(await authorities()).toBe(1);
  world.authority.prepare();
  world.api.publish();
  await eventually(authorities).toBe(2);
  world.authority.activate();
  world.api.rotate();
  await world.untilCurrent();
  world.authority.retire();
  world.api.publish();
  await eventually(authorities).toBe(1);
});

test("issue #113: the SVID with the hint is written; without one it is a failed write, until there is one", async () => {
  await using world = await createWorld({ workloads: [{ path: "/a", hint: "external" }, { path: "/b" }] });
  const helper = await world.helper('hint = "internal"');
  await helper.untilLogged("no SVID has the hint");
  expect(await world.serial()).toBeUndefined();
  world.api.setWorkloads([{ path: "/a" }, { path: "/b", hint: "internal" }]);
  await eventually(() => world.serial()).toBe(world.api.svids[1]?.identity.certificate.serialNumber);
});

test("issue #89: a bundle for each trust domain, removed when the federation ends", async () => {
  const other = createSpiffeAuthority({ trustDomain: "other.org" });
  await using world = await createWorld({ federated: [other] });
  await world.helper('trust_domain_bundle_file_name = "{trust_domain}.bundle.pem"');
  await world.untilCurrent();
  expect(await world.text("other.org.bundle.pem")).toBe(other.x509.trustPem);
  expect(await world.text("example.org.bundle.pem")).toBe(world.authority.x509.trustPem);
  world.api.unfederate("other.org");
  await eventually(() => world.text("other.org.bundle.pem").catch(() => "gone")).toBe("gone");
});

test("the Workload API takes the identity away: the files stay, the helper is not ready and says why", async () => {
  await using world = await createWorld();
  const helper = await world.helper();
  await world.untilCurrent();
  const before = await world.serial();
  world.api.redact();
  await eventually(async () => (await helper.admin("/readyz")).body).toMatch(/identity: .*withdrawn/);
  expect(await world.serial()).toBe(before);
  world.api.rotate();
  await world.untilCurrent();
  await eventually(async () => (await helper.admin("/readyz")).status).toBe(200);
});

test("defect: a mode of 0444 does not break the next write", async () => {
  await using world = await createWorld();
  await world.helper('cert_file_mode = 0444\nkey_file_mode = 0400\npublish = "files"');
  await world.untilCurrent();
  world.api.rotate();
  await world.untilCurrent();
  expect((await stat(world.path("svid.pem"))).mode & 0o777).toBe(0o444);
});

test("a directory that cannot be written is a clear error, is tried again, and readiness follows", async () => {
  await using world = await createWorld();
  await rename(world.certDir, `${world.certDir}-away`);
  const helper = await world.helper();
  await helper.untilLogged("X.509 files not written");
  expect(helper.log().find(({ msg }) => msg === "X.509 files not written")?.error).toMatch(
    /no such directory/,
  );
  await eventually(async () => (await helper.admin("/readyz")).body).toMatch(/no identity could be loaded/);
  await rename(`${world.certDir}-away`, world.certDir);
  await chmod(world.certDir, 0o755);
  await world.untilCurrent();
  await eventually(async () => (await helper.admin("/readyz")).status).toBe(200);
});

test("defect: readiness looks at the expiry of what is on disk", async () => {
  await using world = await createWorld({ workloads: [{ ttlMs: 2_500 }] });
  const helper = await world.helper();
  await world.untilCurrent();
  expect((await helper.admin("/readyz")).status).toBe(200);
  await eventually(async () => (await helper.admin("/readyz")).body).toMatch(/expired/);
});
