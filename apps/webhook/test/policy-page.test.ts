import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defaultPolicy } from "../src/policy/policy-settings.ts";
import { rules } from "../src/policy/rules.ts";

const page = readFileSync(new URL("../../../docs/policy.md", import.meta.url), "utf8");

test("docs/policy.md lists every rule with its default, in order", () => {
  const rows = [...page.matchAll(/^\| \[([a-z-]+)]\(#([a-z-]+)\) +\| (off|warn|deny) /gm)];
  expect(rows.map(([, id, anchor, severity]) => [id, anchor, severity])).toEqual(
    rules.map(({ id }) => [id, id, defaultPolicy.rules[id]]),
  );
});

test("docs/policy.md says of every rule what mends it", () => {
  for (const { id } of rules) {
    const [, section = ""] = new RegExp(`\n## ${id}\n(.*?)(?=\n## |$)`, "s").exec(page) ?? [];
    expect(section, id).toMatch(/# before +# after\n/);
  }
});
