import { createIdentityHolder } from "@newleaf/rotation";
import { createTestAuthority, type TestIdentity, type TestIssueOptions } from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";
import { describe, expect, test } from "vitest";
import { diagnose } from "./diagnose.ts";
import type { DiagnosisCode } from "./diagnosis.ts";
import type { Facts, ServedLeaf, SessionFacts, StoredFile, StoreFacts, TargetFacts } from "./facts.ts";

const HOUR = 3_600_000;
const now = new Date(Math.trunc(Date.now() / 1_000) * 1_000);
const ago = (ms: number): Date => new Date(now.getTime() - ms);
const authority = createTestAuthority({ now: () => now.getTime() - 24 * HOUR });
const issue = (options: TestIssueOptions = {}): TestIdentity =>
  authority.issue({ dnsNames: ["db"], notBefore: ago(HOUR / 2), notAfter: ago(-HOUR / 2), ...options });
const before = issue({ notBefore: ago(HOUR - 60_000), notAfter: ago(-60_000) });
const expired = issue({ notBefore: ago(2 * HOUR), notAfter: ago(HOUR) });
const fresh = issue();

const files = (change: Partial<NonNullable<StoredFile["found"]>> = {}): readonly StoredFile[] => {
  const found = { modifiedAt: ago(60_000), mode: 0o100600, uid: 1, ...change };
  return [
    { part: "certificate", path: "/certs/tls.crt", found },
    { part: "key", path: "/certs/tls.key", found },
    { part: "trust", path: "/certs/ca.crt", found },
  ];
};

function store(identity: TestIdentity, change: Partial<StoreFacts> = {}): StoreFacts {
  return {
    name: "/certs",
    files: files(),
    leaf: identity.certificate,
    trust: createTrustBundle(authority.certificates),
    ...change,
  };
}

function client(identity: TestIdentity, trust = authority.certificates): StoreFacts {
  const clock = { now: () => now.getTime(), setTimeout: () => ({ cancel: () => {} }) };
  const holder = createIdentityHolder({ clock });
  const result = holder.offer({
    certificates: identity.chainPem,
    key: identity.key,
    trust: [...trust, ...authority.certificates],
  });
  if (result.outcome !== "accepted") throw new Error("the client's identity was not accepted");
  return {
    ...store(identity, { name: "/client", trust: createTrustBundle(trust) }),
    generation: result.generation,
  };
}

function serving(
  identity: TestIdentity,
  against?: ServedLeaf["against"],
  more: Partial<TargetFacts> = {},
): TargetFacts {
  const served = { leaf: identity.certificate, chain: identity.intermediates, ...(against && { against }) };
  return { name: "postgres://db:5432", protocol: "postgres", served, ...more };
}

const codes = (facts: Facts): DiagnosisCode[] => diagnose(facts, now).diagnoses.map(({ code }) => code);

/** The only thing wrong, which is also the verdict of the target. */
function only(facts: Facts) {
  const { ok, rows, diagnoses } = diagnose(facts, now);
  expect(ok).toBe(false);
  expect(diagnoses).toHaveLength(1);
  const [diagnosis] = diagnoses;
  if (facts.targets.length > 0) expect(rows[0]?.verdict).toBe(diagnosis?.code);
  if (!diagnosis) throw new Error("no diagnosis");
  return { ...diagnosis, text: `${diagnosis.message} ${diagnosis.remedy} ${diagnosis.command}` };
}

test("served is what is stored: well, and nothing to say", () => {
  const report = diagnose({ targets: [serving(fresh, "equal")], stored: store(fresh) }, now);
  expect(report).toMatchObject({ ok: true, diagnoses: [], rows: [{ verdict: "well" }] });
});

describe("served against stored", () => {
  test("rotated and not reloaded: until when it works, that no restart is needed, and the reload", () => {
    const found = only({ targets: [serving(before, "older")], stored: store(fresh) });
    expect(found).toMatchObject({
      code: "not_reloaded",
      certificates: true,
      command: "psql postgres://db:5432 -c 'select pg_reload_conf()'",
    });
    expect(found.text).toContain(before.certificate.notAfter.toISOString());
    expect(found.text).toContain("the rotation works");
    expect(found.text).toContain("No restart is needed");
    expect(found.text).toContain("newleaf helper");
  });

  test("expired while a fresh one is stored: not a broken rotation, and still only a reload", () => {
    const found = only({ targets: [serving(expired, "older")], stored: store(fresh) });
    expect(found.code).toBe("served_expired");
    expect(found.text).toContain("the rotation works");
    expect(found.text).toContain("No restart is needed");
  });

  test("with the data directory known, pg_ctl; for other servers a signal", () => {
    const stored = store(fresh);
    const postgres = { name: "db", dataDirectory: "/var/lib/my data" };
    expect(only({ targets: [serving(before, "older")], stored, postgres }).command).toBe(
      "pg_ctl reload -D '/var/lib/my data'",
    );
    const nginx = serving(before, "older", { protocol: "https", name: "https://web" });
    expect(only({ targets: [nginx], stored }).command).toMatch(/^kill -HUP/);
  });

  test("reloaded after the files were written, and still the old one: the reload was refused", () => {
    const postgres = { name: "db", loadedAt: ago(10_000) };
    const found = only({ targets: [serving(before, "older")], stored: store(fresh), postgres });
    expect(found.code).toBe("reload_refused");
    expect(found.text).toContain("SSL configuration was not reloaded");
    const earlier = { name: "db", loadedAt: ago(HOUR) };
    expect(only({ targets: [serving(before, "older")], stored: store(fresh), postgres: earlier }).code).toBe(
      "not_reloaded",
    );
  });

  test("expired and equal: the rotation itself has stopped, which no reload mends", () => {
    const refusal = { code: "expired", message: "expired" } as const;
    const facts = { targets: [serving(expired, "equal")], stored: store(expired, { refusal }) };
    expect(codes(facts)).toEqual(["stored_expired", "served_expired"]);
    for (const { remedy } of diagnose(facts, now).diagnoses) expect(remedy).toMatch(/neither|cannot help/);
  });

  test("expired with nothing to compare", () => {
    expect(only({ targets: [serving(expired)] }).text).toContain("--certs");
  });

  test("newer than stored, and somebody else's", () => {
    expect(only({ targets: [serving(issue(), "newer")], stored: store(fresh) }).code).toBe("stored_behind");
    const billing = issue({ dnsNames: ["billing"] });
    const found = only({ targets: [serving(billing, "foreign")], stored: store(fresh) });
    expect([found.code, found.message]).toEqual(["foreign", expect.stringContaining("billing")]);
  });
});

describe("what is stored", () => {
  test("nothing yet is a start, not a rotation", () => {
    const none = files().map(({ part, path }) => ({ part, path }));
    const stored: StoreFacts = { name: "/certs", files: none };
    const found = only({ targets: [], stored });
    expect([found.code, found.remedy]).toEqual(["bootstrapping", expect.stringContaining("start")]);
    const denied = { kind: "denied", message: "no identity issued" } as const;
    const facts = {
      targets: [],
      stored,
      workloadApi: { address: "unix:/agent.sock", svids: [], failure: denied },
    };
    expect(codes(facts)).toEqual(["workload_api_denied", "bootstrapping"]);
  });

  test("one file missing, one that cannot be read", () => {
    const [certificate, key, trust] = files();
    if (!certificate || !key || !trust) throw new Error("three files");
    const missing = [certificate, { part: key.part, path: key.path }, trust];
    expect(only({ targets: [], stored: { name: "/certs", files: missing } })).toMatchObject({
      code: "file_missing",
      message: expect.stringContaining("/certs/tls.key is missing"),
    });
    const unreadable = [certificate, { ...key, unreadable: "EACCES" }, trust];
    expect(only({ targets: [], stored: { name: "/certs", files: unreadable } }).code).toBe("file_unreadable");
  });

  const refusal = { code: "key_mismatch", message: "tls.key does not belong to it" } as const;

  test("a pair that does not match, just written: an update under way; later: for good", () => {
    const torn = store(fresh, { refusal, files: files({ modifiedAt: ago(1_000) }) });
    expect(only({ targets: [], stored: torn })).toMatchObject({ code: "files_torn" });
    expect(only({ targets: [], stored: store(fresh, { refusal }) })).toMatchObject({ code: "key_mismatch" });
  });

  test("with such a pair the server keeps what it had, until that expires", () => {
    const facts = { targets: [serving(before, "older")], stored: store(fresh, { refusal }) };
    expect(codes(facts)).toEqual(["key_mismatch", "not_reloaded"]);
    const [, target] = diagnose(facts, now).diagnoses;
    expect(target?.message).toContain(before.certificate.notAfter.toISOString());
    expect(target?.message).toContain("a reload alone changes nothing");
  });

  test.each([
    [0o100644, 1, 1, true],
    [0o100640, 1, 1, true],
    [0o100600, 1, 1, false],
    [0o100600, 1, undefined, false],
    [0o100640, 0, 1, false],
    [0o100644, 0, 1, true],
    [0o100600, 2, 1, true],
  ])("key mode %o of user %d, server's user %s: refused %s", (mode, uid, serverUid, isRefused) => {
    const stored = store(fresh, { files: files({ mode, uid }) });
    const postgres = { name: "db", ...(serverUid === undefined ? {} : { uid: serverUid }) };
    const found = codes({ targets: [serving(before, "older")], stored, postgres });
    expect(found).toEqual(isRefused ? ["key_permissions", "not_reloaded"] : ["not_reloaded"]);
  });

  test("the mode of a key is no matter of servers other than PostgreSQL", () => {
    const stored = store(fresh, { files: files({ mode: 0o100644 }) });
    expect(codes({ targets: [serving(fresh, "equal", { protocol: "https" })], stored })).toEqual([]);
  });

  test("late renewal is a note, and all is well", () => {
    const facts = { targets: [serving(before, "equal")], stored: store(before) };
    expect(codes(facts)).toEqual(["renewal_overdue"]);
    expect(diagnose(facts, now).ok).toBe(true);
  });

  test("anything else that the gate refuses", () => {
    const stored = store(fresh, { refusal: { code: "bad_bundle", message: "ca.crt is damaged" } });
    expect(only({ targets: [], stored })).toMatchObject({ code: "stored_unusable" });
  });
});

describe("trust", () => {
  const other = createTestAuthority({ now: () => now.getTime() - 24 * HOUR });
  const app = (from = authority) =>
    from.issue({ uris: ["spiffe://shop/app"], notBefore: ago(HOUR / 2), notAfter: ago(-HOUR / 2) });

  test("the client's bundle lacks the server's authority", () => {
    const facts = {
      targets: [serving(fresh, "equal")],
      stored: store(fresh),
      client: client(app(), other.certificates),
    };
    expect(only(facts)).toMatchObject({
      code: "bundle_lacks_authority",
      remedy: expect.stringContaining("the old and the new authority"),
    });
  });

  test("the server refuses the client: whose bundle it is", () => {
    const refusing = serving(fresh, "equal");
    const target = { ...refusing, served: { ...refusing.served, refusal: "unknown ca" } as ServedLeaf };
    const unread = only({ targets: [target], stored: store(fresh), client: client(app()) });
    expect([unread.code, unread.remedy]).toEqual([
      "client_refused",
      expect.stringContaining("has not read it"),
    ]);
    const lacking = store(fresh, { trust: createTrustBundle(other.certificates) });
    const facts = { targets: [target], stored: lacking, client: client(app()) };
    expect(only(facts).remedy).toContain("/certs/ca.crt does not vouch for it");
  });

  test("a refusal for want of any certificate says nothing when none was given", () => {
    const refusing = serving(fresh, "equal");
    const target = {
      ...refusing,
      served: { ...refusing.served, refusal: "certificate required" } as ServedLeaf,
    };
    expect(codes({ targets: [target], stored: store(fresh) })).toEqual([]);
  });

  test("a chain that breaks another rule", () => {
    const caAsLeaf = issue({ defect: "ca_as_leaf" });
    const found = codes({ targets: [serving(caAsLeaf, "equal")], stored: store(caAsLeaf) });
    expect(found).toEqual(["chain_invalid"]);
  });
});

describe("not about certificates", () => {
  test.each(["nothing_listens", "name_not_found", "no_answer", "no_handshake"] as const)("%s", (reason) => {
    const target = {
      name: "https://frontend",
      protocol: "https",
      unreached: { reason, message: "as it came" },
    } as const;
    const found = only({ targets: [target], stored: store(fresh) });
    expect(found).toMatchObject({
      code: reason,
      certificates: false,
      message: expect.stringContaining("as it came"),
    });
  });

  test("the message for a peer that is not there names what it looks like from outside", () => {
    const target = {
      name: "https://frontend",
      protocol: "https",
      unreached: { reason: "nothing_listens", message: "ECONNREFUSED" },
    } as const;
    expect(only({ targets: [target] }).remedy).toMatch(/no certificate problem.*CrashLoopBackOff/);
  });

  test("an answer of 503 came over a good handshake; one of 404 is the service's own affair", () => {
    const answering = (status: number) => ({
      targets: [serving(fresh, "equal", { protocol: "https", http: { status } })],
      stored: store(fresh),
    });
    expect(only(answering(503))).toMatchObject({ code: "upstream_error", certificates: false });
    expect(codes(answering(404))).toEqual([]);
  });

  test("no answer: late is the service's affair; closed may be a refusal, which without a certificate is expected", () => {
    const silent = (failure: "late" | "closed", more: Partial<Facts> = {}) =>
      diagnose({ targets: [serving(fresh, "equal", { protocol: "https", http: { failure } })], ...more }, now)
        .diagnoses;
    const code = "upstream_error";
    expect(silent("late")).toMatchObject([{ code, severity: "wrong", certificates: false }]);
    expect(silent("closed")).toMatchObject([{ code, severity: "note" }]);
    const message = expect.stringContaining("closes the connection of");
    expect(silent("closed", { client: client(fresh) })).toMatchObject([
      { code, severity: "wrong", certificates: true, message },
    ]);
  });

  test("no TLS at all", () => {
    const target = {
      name: "postgres://db",
      protocol: "postgres",
      unreached: { reason: "no_tls", message: "ssl is off" },
    } as const;
    expect(only({ targets: [target] })).toMatchObject({ code: "no_tls", certificates: true });
  });
});

describe("Workload API", () => {
  test.each([
    ["unreachable", "workload_api_unreachable"],
    ["denied", "workload_api_denied"],
    ["other", "workload_api_unreachable"],
  ] as const)("%s", (kind, code) => {
    const workloadApi = { address: "unix:/agent.sock", svids: [], failure: { kind, message: "as it came" } };
    expect(only({ targets: [], workloadApi }).code).toBe(code);
  });
});

test("the Workload API has a newer one than the files: they are not being delivered", () => {
  const id = "spiffe://shop/db";
  const [older, newer] = [issue({ uris: [id], notBefore: ago(HOUR / 2 + 1_000) }), issue({ uris: [id] })];
  const workloadApi = { address: "unix:/agent.sock", svids: [{ id, leaf: newer.certificate }] };
  expect(only({ targets: [], stored: store(older), workloadApi }).code).toBe("not_delivered");
  expect(codes({ targets: [], stored: store(newer), workloadApi })).toEqual([]);
  expect(codes({ targets: [], stored: store(fresh), workloadApi })).toEqual([]);
});

describe("sessions of a pool", () => {
  const app = issue({ uris: ["spiffe://shop/app"] });
  const serialNumber = app.certificate.serialNumber.toLowerCase().replace(/^0+/, "");
  const session = (change: Partial<SessionFacts>): SessionFacts => ({
    since: ago(60_000),
    user: "app",
    application: "",
    serialNumber,
    ...change,
  });
  const facts = (...sessions: SessionFacts[]): Facts => ({
    targets: [serving(fresh, "equal")],
    stored: store(fresh),
    client: client(app),
    postgres: { name: "db", sessions },
  });

  test("all with the current certificate: nothing to say", () => {
    expect(codes(facts(session({})))).toEqual([]);
  });

  test("some with the one before: a note; for longer than such a certificate lives: wrong", () => {
    const old = session({ serialNumber: "abc", application: "backend" });
    expect(codes(facts(session({}), old))).toEqual(["old_connections"]);
    expect(diagnose(facts(session({}), old), now)).toMatchObject({ ok: true });
    const outlived = diagnose(facts(session({}), { ...old, since: ago(2 * HOUR) }), now);
    expect(outlived).toMatchObject({ ok: false, rows: [{ verdict: "well" }] });
    expect(outlived.diagnoses[0]?.message).toContain("1 of 2 sessions");
    expect(outlived.diagnoses[0]?.message).toContain("app (backend)");
  });

  test("PostgreSQL that could not be asked is a note", () => {
    const asked = {
      targets: [serving(fresh, "equal")],
      stored: store(fresh),
      postgres: { name: "db", problem: "no" },
    };
    expect(codes(asked)).toEqual(["postgres_unreadable"]);
    expect(diagnose(asked, now).ok).toBe(true);
  });
});
