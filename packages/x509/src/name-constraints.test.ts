import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CertificateSpec, directory, dns } from "../test/certificate-factory.ts";
import { chain } from "../test/chain.ts";
import type { GeneralName } from "./general-name.ts";
import { checkNameConstraints } from "./name-constraints.ts";

// What each form matches is in test/name-constraint-rows.ts.

function check(ca: Partial<CertificateSpec>, leaf: Partial<CertificateSpec>) {
  const made = chain({ cas: [ca], leaf: { subject: "", keyName: "leaf", ...leaf } });
  return checkNameConstraints([made.leaf, ...made.intermediates, ...made.trust]);
}

describe("the message", () => {
  test("says what would be permitted", () => {
    const permitted = [dns("example.com"), dns("example.net")];
    expect(check({ permitted }, { names: [dns("a.example.org")] })).toMatchObject({
      code: "name_constraints",
      message: 'dns "a.example.org" is outside of the permitted names (dns "example.com", dns "example.net")',
    });
  });

  test("says what is excluded by what", () => {
    expect(check({ excluded: [directory("O=Shop")] }, { subject: "CN=x,O=Shop" })).toMatchObject({
      message: 'directory name "CN=x,O=Shop" is excluded by directory name "O=Shop"',
    });
  });

  test("says that a name cannot be compared", () => {
    expect(check({ excluded: [dns("example.com")] }, { names: [dns("a_b..c")] })).toMatchObject({
      message: 'dns "a_b..c" cannot be compared with a name constraint of the path',
    });
  });
});

describe("properties", () => {
  const label = fc.constantFrom("a", "b", "com", "shop", "x-1");
  const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
  const base: fc.Arbitrary<GeneralName> = fc.oneof(
    fc.tuple(fc.constantFrom("", "."), host).map(([dot, value]) => dns(dot + value)),
    fc
      .tuple(fc.constantFrom("", "."), host)
      .map(([dot, value]): GeneralName => ({ type: "uri", value: dot + value })),
    host.map((value): GeneralName => ({ type: "email", value })),
    fc.constantFrom("10.0.0.0/8", "10.1.0.0/16").map((value): GeneralName => ({ type: "ip", value })),
  );
  const name: fc.Arbitrary<GeneralName> = fc.oneof(
    fc.tuple(fc.constantFrom("", "*."), host).map(([star, value]) => dns(star + value)),
    host.map((value): GeneralName => ({ type: "uri", value: `spiffe://${value}/x` })),
    host.map((value): GeneralName => ({ type: "email", value: `m@${value}` })),
    fc.constantFrom("10.1.2.3", "10.2.0.1", "::1").map((value): GeneralName => ({ type: "ip", value })),
  );
  const bases = fc.array(base, { minLength: 1, maxLength: 3 });
  const names = fc.array(name, { minLength: 1, maxLength: 3 });
  const RUNS = { numRuns: 150 };

  test("one more exclusion never lets a refused certificate in", () => {
    fc.assert(
      fc.property(bases, base, names, (excluded, another, given) => {
        if (check({ excluded }, { names: given }) === undefined) return;
        expect(check({ excluded: [...excluded, another] }, { names: given })).toBeDefined();
      }),
      RUNS,
    );
  });

  test("one more permission in a form that has some never shuts an accepted certificate out", () => {
    fc.assert(
      fc.property(bases, base, names, (permitted, another, given) => {
        if (!permitted.some(({ type }) => type === another.type)) return;
        if (check({ permitted }, { names: given }) !== undefined) return;
        expect(check({ permitted: [...permitted, another] }, { names: given })).toBeUndefined();
      }),
      RUNS,
    );
  });

  test("no name is both permitted and not excluded by the same base", () => {
    fc.assert(
      fc.property(base, name, (one, given) => {
        if (one.type !== given.type) return;
        const permitted = check({ permitted: [one] }, { names: [given] }) === undefined;
        const passes = check({ excluded: [one] }, { names: [given] }) === undefined;
        expect(permitted && passes).toBe(false);
      }),
      RUNS,
    );
  });
});
