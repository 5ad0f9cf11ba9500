import { X509Certificate } from "node:crypto";
import { createManualClock } from "@newleaf/testing";
import { type Certificate, issueIntermediate } from "@newleaf/x509";
import { describe, expect, test } from "vitest";
import { createAuthority, createIdentity, crl, HOUR, issue } from "../test/server-fixture.ts";
import { allow } from "./authorize.ts";
import { createPeerGuard, type GuardVerdict, type PresentedPeer } from "./peer-guard.ts";

const authority = createAuthority();
const intermediate = issueIntermediate(authority, {
  subject: "CN=intermediate",
  notBefore: new Date(Date.now() - HOUR),
  notAfter: new Date(Date.now() + 10 * HOUR),
});

function present(leaf: Certificate, chain: readonly Certificate[] = [], resumed = false): PresentedPeer {
  return {
    fingerprint: new X509Certificate(leaf.der).fingerprint256,
    leaf: () => leaf.der,
    chain: () => (resumed ? [] : chain.map(({ der }) => der)),
    resumed,
    address: "192.0.2.1:4711",
  };
}

function outcome(verdict: GuardVerdict): string {
  return verdict.ok ? "ok" : verdict.code;
}

function setUp() {
  const clock = createManualClock(Date.now());
  const allowed = new Set(["frontend"]);
  const guard = createPeerGuard({ authorize: ({ dnsNames: [name] }) => allowed.has(name ?? ""), clock });
  const identity = createIdentity({ authority });
  return { clock, allowed, guard, identity };
}

describe.each([false, true])("resumed: %s", (resumed) => {
  test("expired since", async () => {
    const { clock, guard, identity } = setUp();
    const { certificate } = issue(authority);
    const generation = identity.source.current();
    expect(outcome(guard.admit(present(certificate), generation))).toBe("ok");
    await clock.advance(certificate.notAfter.getTime() - clock.now());
    expect(outcome(guard.admit(present(certificate, [], resumed), generation))).toBe("ok");
    await clock.advance(1);
    expect(outcome(guard.admit(present(certificate, [], resumed), generation))).toBe("expired");
  });

  test("not yet valid again, when the clock was set back", () => {
    const { clock, guard, identity } = setUp();
    const { certificate } = issue(authority);
    expect(outcome(guard.admit(present(certificate), identity.source.current()))).toBe("ok");
    clock.step(-2 * 60_000);
    expect(outcome(guard.admit(present(certificate, [], resumed), identity.source.current()))).toBe(
      "not_yet_valid",
    );
  });

  test("revoked since", () => {
    const { guard, identity } = setUp();
    const { certificate } = issue(authority);
    expect(outcome(guard.admit(present(certificate), identity.source.current()))).toBe("ok");
    const generation = identity.rotate({ crls: [crl(authority, [certificate], 1)] });
    expect(outcome(guard.admit(present(certificate, [], resumed), generation))).toBe("revoked");
  });

  test("authority removed since", () => {
    const { guard, identity } = setUp();
    const next = createAuthority("next");
    const { certificate } = issue(next);
    const both = identity.rotate({ trust: [authority.certificate, next.certificate] });
    expect(outcome(guard.admit(present(certificate), both))).toBe("ok");
    const generation = identity.rotate({ trust: [authority.certificate] });
    expect(outcome(guard.admit(present(certificate, [], resumed), generation))).toBe("unknown_authority");
  });

  test("no longer allowed", () => {
    const { allowed, guard, identity } = setUp();
    const { certificate } = issue(authority);
    expect(outcome(guard.admit(present(certificate), identity.source.current()))).toBe("ok");
    allowed.clear();
    expect(outcome(guard.admit(present(certificate, [], resumed), identity.source.current()))).toBe(
      "not_allowed",
    );
  });

  test("still good in the next generation", () => {
    const { guard, identity } = setUp();
    const { certificate } = issue(authority);
    guard.admit(present(certificate), identity.source.current());
    const generation = identity.rotate();
    const verdict = guard.admit(present(certificate, [], resumed), generation);
    expect(verdict).toMatchObject({ ok: true, peer: { generation: generation.number, resumed } });
  });
});

describe("intermediates", () => {
  test("come from the peer, and are remembered for resumed sessions", () => {
    const { guard, identity } = setUp();
    const generation = identity.source.current();
    const first = issue(intermediate).certificate;
    const second = issue(intermediate).certificate;
    expect(outcome(guard.admit(present(second, [], true), generation))).toBe("unknown_authority");
    expect(outcome(guard.admit(present(first, [intermediate.certificate]), generation))).toBe("ok");
    expect(outcome(guard.admit(present(second, [], true), generation))).toBe("ok");
  });

  test("of others do not complete a chain, but they do name what is missing", () => {
    const { guard, identity } = setUp();
    const generation = identity.source.current();
    expect(outcome(guard.admit(present(issue(intermediate).certificate), generation))).toBe(
      "unknown_authority",
    );
    guard.admit(present(issue(intermediate).certificate, [intermediate.certificate]), generation);
    expect(outcome(guard.admit(present(issue(intermediate).certificate), generation))).toBe(
      "chain_incomplete",
    );
  });

  test("are demanded anew of each full handshake, also of a peer that has sent them before", () => {
    const { guard, identity } = setUp();
    const generation = identity.source.current();
    const { certificate } = issue(intermediate);
    expect(outcome(guard.admit(present(certificate, [intermediate.certificate]), generation))).toBe("ok");
    expect(outcome(guard.admit(present(certificate), generation))).toBe("chain_incomplete");
    expect(outcome(guard.admit(present(certificate, [], true), generation))).toBe("ok");
  });

  test("that are junk do not matter", () => {
    const { guard, identity } = setUp();
    const stray = createAuthority("stray").certificate;
    const presented = present(issue(intermediate).certificate, [stray, intermediate.certificate]);
    const chain = () => [Buffer.from("junk"), ...presented.chain()];
    expect(outcome(guard.admit({ ...presented, chain }, identity.source.current()))).toBe("ok");
  });

  test("expire for the peers below them", async () => {
    const { clock, guard, identity } = setUp();
    const { certificate } = issue(intermediate, { notAfter: new Date(Date.now() + 100 * HOUR) });
    const presented = present(certificate, [intermediate.certificate]);
    const verdict = guard.admit(presented, identity.source.current());
    expect(verdict).toMatchObject({ ok: true, peer: { validUntil: intermediate.certificate.notAfter } });
    await clock.advance(11 * HOUR);
    expect(outcome(guard.admit(presented, identity.source.current()))).toBe("expired");
  });
});

test("a certificate that cannot be read is refused, not thrown", () => {
  const { guard, identity } = setUp();
  const presented = {
    ...present(issue(authority).certificate),
    leaf: () => Buffer.from("3003020101", "hex"),
  };
  expect(outcome(guard.admit(presented, identity.source.current()))).toBe("bad_certificate");
  expect(outcome(guard.admit({ ...presented, fingerprint: undefined }, identity.source.current()))).toBe(
    "no_certificate",
  );
});

test.each([
  ["CN=frontend,O=shop", "ok"],
  ["CN=frontend,CN=somebody", "not_allowed"],
  ["CN=somebody,CN=frontend", "not_allowed"],
  ["CN=frontend+CN=somebody", "not_allowed"],
  ["CN=frontend,CN=frontend", "not_allowed"],
  ["O=frontend", "not_allowed"],
])("a common name counts when it is the only one: %s", (subject, expected) => {
  const { clock, identity } = setUp();
  const guard = createPeerGuard({ authorize: allow.commonName("frontend"), clock });
  const { certificate } = issue(authority, { subject });
  expect(outcome(guard.admit(present(certificate), identity.source.current()))).toBe(expected);
});

test("an open connection is judged like a new one", async () => {
  const { clock, guard, identity } = setUp();
  const { certificate } = issue(intermediate);
  const verdict = guard.admit(present(certificate, [intermediate.certificate]), identity.source.current());
  if (!verdict.ok) throw new Error(verdict.message);
  const again = guard.recheck(verdict.peer, identity.rotate());
  expect(again).toMatchObject({ ok: true, peer: { generation: 2, address: "192.0.2.1:4711" } });
  await clock.advance(2 * HOUR);
  expect(outcome(guard.recheck(verdict.peer, identity.source.current()))).toBe("expired");
});
