import { readdir, rm } from "node:fs/promises";
import { expect, test } from "vitest";
import { createWorld } from "./helper-world.ts";

test("option daemon_mode and flag -daemon-mode=false: writes everything once and ends with 0", async () => {
  await using world = await createWorld();
  const hcl = `jwt_bundle_file_name = "jwt.json"\njwt_svids = [{ jwt_audience = "a", jwt_svid_file_name = "a.token" }]`;
  const helper = await world.helper(hcl, { argv: ["-daemon-mode=false"] });
  expect(await helper.code).toBe(0);
  const names = (await readdir(world.certDir)).filter((name) => !name.startsWith("."));
  expect(names.sort()).toEqual(["a.token", "bundle.pem", "jwt.json", "key.pem", "svid.pem"]);
});

test("defect: one-shot mode keeps the extra audiences", async () => {
  await using world = await createWorld();
  const hcl = `daemon_mode = false
    jwt_svids = [{ jwt_audience = "a", jwt_extra_audiences = ["b", "c"], jwt_svid_file_name = "a.token" }]`;
  const helper = await world.helper(hcl);
  expect(await helper.code).toBe(0);
  const claims = await world.authority.verifyJwtSvid(await world.text("a.token"), "b");
  expect(claims.aud).toEqual(["a", "b", "c"]);
});

test("defect: one-shot mode does not give up at once when the agent is unavailable", async () => {
  await using world = await createWorld({ started: false });
  const helper = await world.helper("daemon_mode = false");
  await helper.untilLogged("identity update refused");
  await world.api.start();
  expect(await helper.code).toBe(0);
  await world.untilCurrent();
});

test("one-shot mode ends with 1 after fetch_timeout, and says what was wrong", async () => {
  await using world = await createWorld({ started: false });
  const helper = await world.helper('daemon_mode = false\nfetch_timeout = "200ms"');
  expect(await helper.code).toBe(1);
  expect(helper.log().at(-1)).toMatchObject({ msg: "stopped by an error", code: "ERR_HELPER_NO_IDENTITY" });
});

test("one-shot mode with a directory that is not there ends with 1 and names it", async () => {
  await using world = await createWorld();
  await rm(world.certDir, { recursive: true });
  const helper = await world.helper('daemon_mode = false\nfetch_timeout = "300ms"');
  expect(await helper.code).toBe(1);
  const last = helper.log().at(-1);
  expect(last?.error).toMatch(/cannot write to .*certs: there is no such directory/);
  expect(last).toMatchObject({
    code: "ERR_HELPER_WRITE",
    hint: expect.stringContaining("cert_dir must exist"),
  });
});

test("one-shot mode ends with 0 when it is interrupted", async () => {
  await using world = await createWorld({ started: false });
  const helper = await world.helper("daemon_mode = false");
  await helper.untilLogged("identity update refused");
  expect(await helper.stop()).toBe(0);
});
