import { stat } from "node:fs/promises";
import { expect, test } from "vitest";
import { createWorld, eventually } from "./helper-world.ts";

const jwt = `jwt_svids = [{ jwt_audience = "a", jwt_extra_audiences = ["b"], jwt_svid_file_name = "a.token" },
  { jwt_audience = "c", jwt_svid_file_name = "c.token" }]
jwt_bundle_file_name = "jwt.json"
`;

test("options jwt_svids[] and jwt_bundle_file_name: tokens for their audiences, bundles as base64 of a JWK Set", async () => {
  await using world = await createWorld();
  await world.helper(jwt);
  await eventually(() => world.text("a.token").catch(() => "")).not.toBe("");
  const claims = await world.authority.verifyJwtSvid(await world.text("a.token"), "a");
  expect(claims.aud).toEqual(["a", "b"]);
  await eventually(() => world.text("c.token").catch(() => "")).not.toBe("");
  await eventually(() => world.text("jwt.json").catch(() => "")).not.toBe("");
  const bundles = JSON.parse(await world.text("jwt.json"));
  const jwks = JSON.parse(Buffer.from(bundles["example.org"], "base64").toString());
  expect(jwks.keys).toHaveLength(1);
  expect(Object.keys(jwks.keys[0])).toEqual(["kty", "kid", "crv", "x", "y"]);
  for (const name of ["a.token", "jwt.json"]) expect((await stat(world.path(name))).mode & 0o777).toBe(0o600);
});

test("options jwt_svid_file_mode and jwt_bundle_file_mode", async () => {
  await using world = await createWorld();
  await world.helper(`${jwt}jwt_svid_file_mode = 0440\njwt_bundle_file_mode = 0644`);
  await eventually(async () => (await stat(world.path("a.token")).catch(() => undefined))?.mode).toBe(
    0o100440,
  );
  await eventually(async () => (await stat(world.path("jwt.json")).catch(() => undefined))?.mode).toBe(
    0o100644,
  );
});

test("JWT bundles follow the rollover of the keys", async () => {
  await using world = await createWorld();
  await world.helper(jwt);
  const keys = async () => {
    const text = await world.text("jwt.json").catch(() => "{}");
    const jwks = JSON.parse(text)["example.org"] ?? Buffer.from(`{"keys":[]}`).toString("base64");
    return JSON.parse(Buffer.from(jwks, "base64").toString()).keys.length;
  };
  await eventually(keys).toBe(1);
  world.authority.prepare();
  world.api.publish();
  await eventually(keys).toBe(2);
});

test("defect: the X.509 files do not wait for the JWTs", async () => {
  await using world = await createWorld();
  const helper = await world.helper(
    `jwt_svids = [{ jwt_audience = "a", jwt_svid_file_name = "missing/a.token" }]`,
  );
  await world.untilCurrent();
  await helper.untilLogged("JWT-SVID not written, trying again");
  world.api.rotate();
  await world.untilCurrent();
});

test("issue #121: JWTs are kept while the agent is away, and renewed when it is back", async () => {
  await using world = await createWorld({ started: false });
  const helper = await world.helper(jwt);
  await helper.untilLogged("JWT-SVID not written, trying again");
  await world.api.start();
  await eventually(() => world.text("a.token").catch(() => "")).not.toBe("");
});
