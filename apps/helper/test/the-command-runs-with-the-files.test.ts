import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createWorld, eventually, threeNames, type World } from "./helper-world.ts";

/** A program that notes in a file what happens to it. */
async function writeProgram(world: World, script: string) {
  const [program, log] = [join(world.directory, "program.mjs"), join(world.directory, "program.log")];
  await writeFile(log, "");
  await writeFile(
    program,
    `import { appendFileSync, existsSync } from "node:fs";
    const say = (word) => appendFileSync(${JSON.stringify(log)}, word + "\\n");
    const hasFiles = existsSync(${JSON.stringify(world.path("svid.pem"))});
    ${script}`,
  );
  return {
    program,
    words: async () => (await readFile(log, "utf8")).split("\n").filter((word) => word !== ""),
  };
}

const forever = "setInterval(() => {}, 1000);";

test("options cmd, cmd_args, renew_signal: started after the first write, signalled after the next, ended with the helper", async () => {
  await using world = await createWorld({ started: false });
  const { program, words } = await writeProgram(
    world,
    `process.on("SIGHUP", () => say("hup")); process.on("SIGTERM", () => { say("term"); process.exit(0); });
    say("start " + hasFiles + " " + process.argv[2]); ${forever}`,
  );
  const helper = await world.helper(
    `cmd = "${process.execPath}"\ncmd_args = "${program} \\"a b\\""\nrenew_signal = "SIGHUP"`,
  );
  await helper.untilLogged("identity update refused");
  expect(await words()).toEqual([]);
  await world.api.start();
  await eventually(words).toEqual(["start true a b"]);
  world.api.rotate();
  await eventually(words).toEqual(["start true a b", "hup"]);
  expect(await helper.stop()).toBe(0);
  expect(await words()).toEqual(["start true a b", "hup", "term"]);
});

test("option pid_file_name: the process named there is signalled after each write", async () => {
  await using world = await createWorld();
  let signals = 0;
  const count = () => {
    signals += 1;
  };
  process.on("SIGUSR2", count);
  await writeFile(join(world.directory, "pid"), `${process.pid}\n`);
  await world.helper(`pid_file_name = "${join(world.directory, "pid")}"\nrenew_signal = "SIGUSR2"`);
  await eventually(() => signals).toBe(1);
  world.api.rotate();
  await eventually(() => signals).toBe(2);
  process.off("SIGUSR2", count);
});

test("issue #249: a wrapped command waits for the first identity, and its exit code is ours", async () => {
  await using world = await createWorld({ started: false });
  const { program, words } = await writeProgram(
    world,
    `say("start " + hasFiles); process.exit(Number(process.argv[2]));`,
  );
  const helper = await world.helper("", { argv: ["--", process.execPath, program, "42"] });
  await helper.untilLogged("identity update refused");
  expect(await words()).toEqual([]);
  await world.api.start();
  expect(await helper.code).toBe(42);
  expect(await words()).toEqual(["start true"]);
});

test("issue #249: SIGTERM is passed to a wrapped command, which is waited for, and its exit code is ours", async () => {
  await using world = await createWorld();
  const { program, words } = await writeProgram(
    world,
    `process.on("SIGTERM", () => setTimeout(() => { say("term"); process.exit(9); }, 50)); say("start"); ${forever}`,
  );
  const helper = await world.helper("", { argv: ["--", process.execPath, program] });
  await eventually(words).toEqual(["start"]);
  expect(await helper.stop()).toBe(9);
  expect(await words()).toEqual(["start", "term"]);
});

test("signals that are not ours reach a wrapped command", async () => {
  await using world = await createWorld();
  const { program, words } = await writeProgram(
    world,
    `process.on("SIGUSR2", () => say("usr2")); say("start"); ${forever}`,
  );
  await world.helper("", { argv: ["--", process.execPath, program] });
  await eventually(words).toEqual(["start"]);
  process.kill(process.pid, "SIGUSR2");
  await eventually(words).toEqual(["start", "usr2"]);
});

test("a wrapped command that cannot be started ends the helper with 127", async () => {
  await using world = await createWorld();
  const helper = await world.helper("", { argv: ["--", "/no/such/program"] });
  expect(await helper.code).toBe(127);
});

test("with JWTs alone, the command starts once all of them are written", async () => {
  await using world = await createWorld();
  const { program, words } = await writeProgram(world, `say("start"); ${forever}`);
  const jwt = `jwt_svids = [{ jwt_audience = "a", jwt_svid_file_name = "a.token" }]\njwt_bundle_file_name = "jwt.json"`;
  await world.helper("", {
    file: `agent_address = "${world.api.address}"\ncert_dir = "${world.certDir}"\n${jwt}\ncmd = "${process.execPath}"\ncmd_args = "${program}"`,
  });
  await eventually(words).toEqual(["start"]);
  expect((await world.text("a.token")).split(".")).toHaveLength(3);
  expect(Object.keys(JSON.parse(await world.text("jwt.json")))).toEqual(["example.org"]);
});

test("defect: JWT updates signal too, where renew_signal_on_jwt says so", async () => {
  await using world = await createWorld();
  const { program, words } = await writeProgram(
    world,
    `process.on("SIGHUP", () => say("hup")); say("start"); ${forever}`,
  );
  await world.helper("", {
    file: `agent_address = "${world.api.address}"\ncert_dir = "${world.certDir}"\n${threeNames}
    jwt_bundle_file_name = "jwt.json"\nrenew_signal_on_jwt = true
    cmd = "${process.execPath}"\ncmd_args = "${program}"\nrenew_signal = "SIGHUP"`,
  });
  await eventually(async () => (await words())[0]).toBe("start");
  const before = (await words()).length;
  world.authority.prepare();
  world.api.publish();
  await eventually(async () => (await words()).length).toBeGreaterThan(before);
});

test("with JWTs alone, a command that cannot be started yet is tried again", async () => {
  await using world = await createWorld();
  const late = join(world.directory, "late.sh");
  const helper = await world.helper("", {
    file: `agent_address = "${world.api.address}"\ncert_dir = "${world.certDir}"\njwt_bundle_file_name = "jwt.json"\ncmd = "${late}"`,
  });
  await helper.untilLogged("not told, trying again");
  await writeFile(late, `#!/bin/sh\ntouch ${world.path("started")}\n`, { mode: 0o755 });
  await eventually(() => world.text("started").catch(() => undefined)).toBe("");
});
