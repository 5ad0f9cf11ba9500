import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createWorld } from "./helper-world.ts";
import { start } from "./run-command.ts";

test("-version prints the version and ends with 0, -help the help", async () => {
  for (const flag of ["-version", "--version"]) {
    const run = start([flag]);
    expect(await run.code).toBe(0);
    expect(run.stdout()).toBe("0.0.0\n");
  }
  const help = start(["-help"]);
  expect(await help.code).toBe(0);
  expect(help.stdout()).toContain("--svid-file-name <name>");
});

test("a flag that does not exist ends with 2, a configuration that is wrong with 1", async () => {
  const flag = start(["-confg", "x"]);
  expect(await flag.code).toBe(2);
  expect(flag.stderr()).toContain("unknown option '--confg");
  const mode = start(["-daemon-mode=maybe"]);
  expect(await mode.code).toBe(2);
  const directory = await mkdtemp(join(tmpdir(), "nl-cli-"));
  const path = join(directory, "helper.conf");
  await writeFile(path, "cert_dri = 1");
  const wrong = start(["-config", path]);
  expect(await wrong.code).toBe(1);
  expect(wrong.log().at(-1)).toMatchObject({
    error: `${path}:1:1: unknown key cert_dri at top level`,
    hint: "did you mean cert_dir?",
    code: "ERR_HELPER_CONFIG",
  });
  const missing = start(["-config", join(directory, "none.conf")]);
  expect(await missing.code).toBe(1);
});

test("issues #223 and #199: without a file, everything from the environment", async () => {
  await using world = await createWorld();
  const env = {
    NEWLEAF_HELPER_CERT_DIR: world.certDir,
    NEWLEAF_HELPER_SVID_FILE_NAME: "svid.pem",
    NEWLEAF_HELPER_SVID_KEY_FILE_NAME: "key.pem",
    NEWLEAF_HELPER_SVID_BUNDLE_FILE_NAME: "bundle.pem",
    NEWLEAF_HELPER_DAEMON_MODE: "false",
    SPIFFE_ENDPOINT_SOCKET: world.api.address,
  };
  const run = start([], { env });
  expect(await run.code).toBe(0);
  expect(run.log().filter(({ level }) => level === "warn")).toEqual([]);
  await world.untilCurrent();
});

test("issue #440: log_level of the file, the variable and the flag", async () => {
  await using world = await createWorld();
  const quiet = await world.helper('daemon_mode = false\nlog_level = "error"');
  expect(await quiet.code).toBe(0);
  expect(quiet.stderr()).toBe("");
  const loud = await world.helper('daemon_mode = false\nlog_level = "error"', {
    argv: ["-log-level", "debug"],
  });
  expect(await loud.code).toBe(0);
  expect(loud.log().map(({ msg }) => msg)).toContain("X.509 files written");
});

test("neither key nor token is in anything that is logged", async () => {
  await using world = await createWorld();
  const jwt = `jwt_svids = [{ jwt_audience = "a", jwt_svid_file_name = "a.token" }]`;
  const helper = await world.helper(`daemon_mode = false\nlog_level = "debug"\n${jwt}`);
  expect(await helper.code).toBe(0);
  const token = await world.text("a.token");
  expect(helper.stderr()).not.toContain(token.split(".")[2]);
  expect(helper.stderr()).not.toMatch(/PRIVATE KEY|BEGIN/);
});
