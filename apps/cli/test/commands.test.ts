import { readFileSync } from "node:fs";
import type { Command, LeafCommand } from "@newleaf/daemon";
import { expect, test } from "vitest";
import { manifest } from "../src/manifest.ts";
import { run } from "./run-in-process.ts";

const commands = await Promise.all(manifest.map((entry) => entry.load()));
const leaves = commands.flatMap((command) => leavesOf(command, []));

function leavesOf(command: Command, path: readonly string[]): readonly (readonly [string, LeafCommand])[] {
  const below = [...path, command.name];
  const children = command.commands.flatMap((child) => leavesOf(child, below));
  return command.kind === "command" ? [[below.join(" "), command], ...children] : children;
}

test("the listing says what the commands say of themselves", () => {
  expect(manifest.map(({ name, summary }) => [name, summary])).toEqual(
    commands.map(({ name, summary }) => [name, summary]),
  );
});

test("newleaf --help lists every command, and says the version of its package", async () => {
  const help = await run(["--help"]);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  for (const { name, summary } of manifest) {
    expect(help.stdout.replaceAll(/\s+/g, " ")).toContain(`${name} ${summary}`);
  }
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  expect(await run(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test.each(leaves)(
  "%s has a summary, an example that parses, and help in its place",
  async (path, command) => {
    expect(command.summary).toMatch(/^[^A-Z].*[^.]$|^mTLS/);
    expect(command.examples.length).toBeGreaterThan(0);
    for (const example of command.examples)
      expect(example.command).toContain(`newleaf ${path.split(" ")[0]}`);
    const help = await run([...path.split(" "), "--help"]);
    expect(help.code).toBe(0);
    expect(help.stdout).toMatch(new RegExp(`^Usage: newleaf ${path}`));
    expect(help.stdout).toContain("Examples:");
  },
);

test.each(leaves)("%s has options whose names, variables and defaults are sound", (_path, command) => {
  const options = Object.entries({ ...command.options, ...command.commonOptions });
  const names = options.map(([, { flag }]) => /--[a-z0-9-]+/.exec(flag)?.[0]);
  expect(new Set(names).size).toBe(options.length);
  for (const [key, option] of options) {
    expect(option.description, key).toMatch(/^[^A-Z].*[^.]$|^[A-Z]{2,}/);
    if (option.default !== undefined) expect(option.schema.safeParse(option.default).success, key).toBe(true);
  }
});

test("an unknown command or option is one line, a suggestion, and exit code 2", async () => {
  expect(await run(["inspct"])).toEqual({
    code: 2,
    stdout: "",
    stderr: "newleaf: unknown command 'inspct'\nhint: did you mean inspect?\n",
  });
  expect(await run(["ca", "issue", "a", "--duratoin", "1h"])).toEqual({
    code: 2,
    stdout: "",
    stderr: "newleaf ca issue: unknown option '--duratoin'\nhint: did you mean --duration?\n",
  });
});
