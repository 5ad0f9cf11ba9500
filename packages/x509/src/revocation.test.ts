import { describe, expect, test } from "vitest";
import { crl, days, NOW, type Party } from "../test/certificate-factory.ts";
import { chain } from "../test/chain.ts";
import type { CertificateRevocationList } from "./crl.ts";
import { checkRevocation } from "./revocation.ts";

// Which lists count is in test/scenarios.ts.

const made = chain({ cas: [{}] });
const path = [made.leaf, ...made.intermediates, ...made.trust];
const [ca = made.root] = made.cas;
const SECOND = 1000;

function check(crls: readonly CertificateRevocationList[], budget = { left: 100 }, now = NOW) {
  return checkRevocation(path, crls, now, budget);
}

const revoking = (party: Party) => ({ certificate: party.certificate });

describe("RFC 5280 6.3 revocation of a path", () => {
  test("is not checked without lists", () => {
    expect(check([])).toEqual({ ok: true, validUntil: undefined });
  });

  test("holds until the first list ends, older lists of the same issuer not counted", () => {
    const old = crl(ca, { thisUpdate: days(-9), nextUpdate: days(1) });
    const lists = [old, crl(ca, { nextUpdate: days(7) }), crl(made.root, { nextUpdate: days(6) })];
    expect(check(lists)).toEqual({ ok: true, validUntil: days(6) });
    expect(check(lists.toReversed())).toEqual({ ok: true, validUntil: days(6) });
  });

  test("counts the last second of a list", () => {
    const lists = [crl(ca, { nextUpdate: NOW }), crl(made.root)];
    expect(check(lists)).toEqual({ ok: true, validUntil: NOW });
    expect(check(lists, { left: 100 }, new Date(NOW.getTime() + SECOND))).toMatchObject({
      code: "crl_expired",
    });
  });

  test.each([
    [9, 10],
    [127, 128],
    [255, 256],
    [256, 65_536],
  ])("takes list number %d for older than number %d of the same moment", (smaller, larger) => {
    const clean = (number: number) => crl(ca, { number });
    const listing = (number: number) => crl(ca, { number, revoked: [revoking(made.leafParty)] });
    const upper = crl(made.root);
    expect(check([clean(smaller), listing(larger), upper])).toMatchObject({ code: "revoked" });
    expect(check([clean(larger), listing(smaller), upper])).toMatchObject({ ok: true });
  });

  test("reports the revoked CA before the leaf that has no list", () => {
    expect(check([crl(made.root, { revoked: [revoking(ca)] })])).toMatchObject({
      code: "revoked",
      certificate: ca.certificate,
    });
  });

  test("without signature checks left is a limit, not a missing list", () => {
    expect(check([crl(ca), crl(made.root)], { left: 1 })).toMatchObject({ code: "limit" });
  });
});
