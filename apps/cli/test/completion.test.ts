import { execFileSync, spawnSync } from "node:child_process";
import { defineCommand, jsonOption, type LeafCommand } from "@newleaf/daemon";
import { expect, test } from "vitest";
import { completionScript } from "../src/completion-script.ts";
import { run } from "./run-in-process.ts";

const absent = spawnSync("bash", ["--version"]).status !== 0;

/** What bash would offer for a line, its last word unfinished. */
function complete(script: string, ...words: readonly string[]): readonly string[] {
  const program = `${script}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _newleaf; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync("bash", ["--norc", "-c", program, "bash", ...words], {
    encoding: "utf8",
    cwd: "/",
  });
  return output.split("\n").filter((line) => line !== "");
}

test.skipIf(absent)("bash (skipped where absent) completes commands, options and files", async () => {
  const { code, stdout } = await run(["completion", "bash"]);
  expect(code).toBe(0);
  expect(complete(stdout, "newleaf", "")).toEqual(expect.arrayContaining(["ca", "inspect", "completion"]));
  expect(complete(stdout, "newleaf", "ca", "re")).toEqual(["renew", "revoke"]);
  expect(complete(stdout, "newleaf", "ca", "issue", "name", "--lay")).toEqual(["--layout"]);
  expect(complete(stdout, "newleaf", "ca", "issue", "--out", "et")).toEqual(["etc"]);
  expect(complete(stdout, "newleaf", "ca", "issue", "--dns", "")).toEqual([]);
  expect(complete(stdout, "newleaf", "inspect", "et")).toEqual(["etc"]);
  expect(complete(stdout, "newleaf", "ca", "nonsense", "")).toContain("issue");
});

test.skipIf(absent)("bash completes the words below a command that runs by itself, too", () => {
  const named = (name: string, commands: readonly LeafCommand[]) =>
    defineCommand({ name, summary: `${name} it`, options: { json: jsonOption }, commands, run: () => 0 });
  const script = completionScript("newleaf", [named("show", [named("part", [])])], "bash");
  expect(complete(script, "newleaf", "show", "")).toEqual(["part", "--json", "--log-level", "--help"]);
  expect(complete(script, "newleaf", "show", "part", "--j")).toEqual(["--json"]);
});

test.each(["bash", "zsh", "fish"])("the %s script has every command", async (shell) => {
  const { code, stdout } = await run(["completion", shell]);
  expect(code).toBe(0);
  for (const word of ["ca renew", "inspect", "completion"]) expect(stdout).toContain(word);
});

test("an unknown shell is refused with the ones there are", async () => {
  expect(await run(["completion", "bsh"])).toEqual({
    code: 2,
    stdout: "",
    stderr: `newleaf completion: shell "bsh": expected one of bash, zsh, fish\nhint: did you mean bash?\n`,
  });
});
