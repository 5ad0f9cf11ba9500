import { describe, expect, test } from "vitest";
import { createTrustBundle, validatePath } from "../src/index.ts";
import { NOW } from "./certificate-factory.ts";
import { SCENARIOS } from "./scenarios.ts";

describe.each(SCENARIOS)("RFC 5280 $name", ({ expect: expected, purpose, given }) => {
  test.each(purpose === undefined ? (["clientAuth", "serverAuth"] as const) : [purpose])(
    `%s: ${expected}`,
    (use) => {
      const { leaf, trust, intermediates, crls = [], now = NOW } = given();
      const result = validatePath(leaf, createTrustBundle(trust), { now, purpose: use, intermediates, crls });
      expect(result.ok ? "ok" : result.code).toBe(expected);
    },
  );
});

test("scenario names are unique", () => {
  const names = SCENARIOS.map(({ name }) => name);
  expect(names.length).toBe(new Set(names).size);
});
