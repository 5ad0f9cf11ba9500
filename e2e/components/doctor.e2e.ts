// `newleaf doctor` beside a real PostgreSQL with certificates made by openssl: each failure is made, and must be named
// as what it is. Among them the three that were once misread: "a restart is needed", "the rotation is broken", and "the
// container that restarts has a certificate problem". Needs: openssl, PostgreSQL.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createIdentityHolder } from "@newleaf/rotation";
import { createRotatingPool } from "@newleaf/rotation/pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { freePort } from "../../bench/peers/peer.ts";
import { component } from "../component.ts";
import { createOpensslAuthority, type OpensslAuthority } from "../openssl-authority.ts";
import { handOver, type Postgres, startPostgres } from "../postgres.ts";
import { run, runNewleaf } from "../process.ts";

const postgres = component("NEWLEAF_POSTGRES") ?? "";
const box = mkdtempSync(join(tmpdir(), "newleaf-doctor-"));
const at = (path: string): string => join(box, path);
const stored = at("server-certificates");
const clients = at("client-certificates");
const FILES = ["tls.crt", "tls.key", "ca.crt"];
let authority: OpensslAuthority;
let server: Postgres;
let target: string;
let dsn: string;
let made = 0;

interface Diagnosis {
  readonly code: string;
  readonly severity: string;
  readonly certificates: boolean;
  readonly message: string;
  readonly remedy?: string;
  readonly command?: string;
}

interface Report {
  readonly code: number;
  readonly ok: boolean;
  readonly targets: readonly { readonly verdict: string; readonly lastReload?: string }[];
  readonly diagnoses: readonly Diagnosis[];
}

async function doctor(...args: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await runNewleaf(["doctor", ...args, "--json"]);
  if (stdout === "") throw new Error(`no report, exit ${code}: ${stderr}`);
  return { code, ...(JSON.parse(stdout) as Omit<Report, "code">) };
}

const codes = ({ diagnoses }: Report): string[] => diagnoses.map(({ code }) => code);
const all = (): readonly string[] => [
  target,
  "--certs",
  stored,
  "--client-certs",
  clients,
  "--postgres",
  dsn,
];

function issue(from = authority, options: { name?: string; san?: string; end?: string } = {}): string {
  const directory = at(`issued-${++made}`);
  from.issue(directory, { name: "db", san: "DNS:localhost,IP:127.0.0.1", ...options });
  return directory;
}

function publish(from: string, to: string, files = FILES): void {
  mkdirSync(to, { recursive: true });
  for (const file of files) {
    copyFileSync(join(from, file), join(to, `.${file}`));
    chmodSync(join(to, `.${file}`), 0o600);
    renameSync(join(to, `.${file}`), join(to, file));
  }
  if (to === stored) handOver(stored);
}

async function psql(sql: string): Promise<string> {
  const { code, stdout, stderr } = await run(join(dirname(postgres), "psql"), [
    dsn, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql,
  ]); // biome-ignore format: one command line
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Answers "t" whatever becomes of it; done when the server has tried. */
async function reload(): Promise<void> {
  const loaded = "select pg_conf_load_time()";
  const before = await psql(loaded);
  expect(await psql("select pg_reload_conf()")).toBe("t");
  await vi.waitFor(async () => expect(await psql(loaded)).not.toBe(before), 10_000);
}

describe.skipIf(postgres === "")("doctor on PostgreSQL (needs: postgresql, openssl)", () => {
  beforeAll(async () => {
    chmodSync(box, 0o755);
    authority = createOpensslAuthority(at("authority"), "shop root");
    publish(issue(), stored);
    publish(issue(authority, { name: "app", san: "DNS:app.shop.svc" }), clients);
    mkdirSync(at("postgres"));
    server = await startPostgres(postgres, at("postgres"), stored);
    target = `postgres://127.0.0.1:${server.port}`;
    // By trust and without TLS, as one does on the database's own machine.
    dsn = `postgres://newleaf@127.0.0.1:${server.port}/postgres?sslmode=disable`;
    await psql(`alter system set ssl_ca_file = '${join(stored, "ca.crt")}'`);
    await psql("create role app login");
    writeFileSync(
      at("postgres/data/pg_hba.conf"),
      "host all newleaf 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 cert clientcert=verify-full\n",
    );
    await reload();
  });

  beforeEach(async () => {
    publish(issue(), stored);
    publish(issue(authority, { name: "app", san: "DNS:app.shop.svc" }), clients);
    await reload();
    await vi.waitFor(async () => expect(codes(await doctor(...all()))).toEqual([]), 15_000);
  });

  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(box, { recursive: true });
  });

  test("all is well: exit code 0, with the last reload; as a table, too", async () => {
    const report = await doctor(...all());
    expect(report).toMatchObject({ code: 0, ok: true, diagnoses: [], targets: [{ verdict: "well" }] });
    expect(Date.now() - Date.parse(report.targets[0]?.lastReload ?? "")).toBeLessThan(60_000);
    const { code, stdout } = await runNewleaf(["doctor", ...all()]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^target .*\n.* well .*\n\nAll is well\.\n$/)]);
  });

  test("misread as 'the rotation is broken': it rotated, PostgreSQL was not told, and nothing fails yet", async () => {
    publish(issue(), stored);
    const report = await doctor(...all());
    expect(report).toMatchObject({ code: 1, targets: [{ verdict: "not_reloaded" }] });
    expect(codes(report)).toEqual(["not_reloaded"]);
    const [{ message = "", remedy = "", command = "" } = {}] = report.diagnoses;
    expect(message).toContain("the rotation works");
    expect(message).toMatch(/valid until .* nothing fails yet/);
    expect(remedy).toContain("No restart is needed");
    expect(command).toBe(`pg_ctl reload -D ${at("postgres/data")}`);
    await reload();
    await vi.waitFor(async () => expect((await doctor(...all())).code).toBe(0), 10_000);
  });

  test("misread as 'a restart is needed': the served one expired, a fresh one lies beside it, a reload mends it", async () => {
    const end = new Date(Date.now() + 6_000);
    publish(issue(authority, { end: utcTime(end) }), stored);
    await reload();
    publish(issue(), stored);
    const started = await psql("select pg_postmaster_start_time()");
    await vi.waitFor(
      async () => expect(await doctor(...all())).toMatchObject({ targets: [{ verdict: "served_expired" }] }),
      { timeout: 20_000, interval: 500 },
    );
    const report = await doctor(...all());
    expect(codes(report)).toEqual(["served_expired"]);
    expect(report.code).toBe(1);
    const [{ message = "", remedy = "" } = {}] = report.diagnoses;
    expect(message).toContain("every new connection fails");
    expect(message).toContain("the rotation works");
    expect(remedy).toContain("No restart is needed");
    await reload();
    await vi.waitFor(async () => expect((await doctor(...all())).code).toBe(0), 10_000);
    expect(await psql("select pg_postmaster_start_time()")).toBe(started);
  });

  test("misread as a certificate problem (CrashLoopBackOff): the peer that it waits for is not there", async () => {
    const frontend = `https://127.0.0.1:${await freePort()}`;
    const report = await doctor(frontend, ...all());
    expect(report.targets.map(({ verdict }) => verdict)).toEqual(["nothing_listens", "well"]);
    expect(report.diagnoses).toMatchObject([
      {
        code: "nothing_listens",
        certificates: false,
        remedy: expect.stringContaining("no certificate problem"),
      },
    ]);
    const unknown = await doctor("https://frontend.invalid", ...all());
    expect(unknown.diagnoses).toMatchObject([{ code: "name_not_found", certificates: false }]);
  });

  test("a key that others may read is refused though the reload answers t; then the reload has to come again", async () => {
    publish(issue(), stored);
    chmodSync(join(stored, "tls.key"), 0o644);
    await reload();
    const report = await doctor(...all());
    expect(codes(report)).toEqual(["key_permissions", "not_reloaded"]);
    expect(report.diagnoses[0]?.command).toBe(`chmod 0600 ${join(stored, "tls.key")}`);
    chmodSync(join(stored, "tls.key"), 0o600);
    expect(codes(await doctor(...all()))).toEqual(["reload_refused"]);
    await reload();
    await vi.waitFor(async () => expect((await doctor(...all())).code).toBe(0), 10_000);
  });

  test("a torn pair: what it keeps serving, and until when", async () => {
    publish(issue(), stored, ["tls.crt"]);
    await reload();
    expect(codes(await doctor(...all()))[0]).toBe("files_torn");
    await vi.waitFor(
      async () => expect(codes(await doctor(...all()))).toEqual(["key_mismatch", "not_reloaded"]),
      { timeout: 20_000, interval: 500 },
    );
    const report = await doctor(...all());
    expect(report.diagnoses[1]?.message).toMatch(/valid until .*cannot load what is stored/);
  });

  test("each side's bundle lacks the other's authority", async () => {
    const other = createOpensslAuthority(at(`authority-${++made}`), "other root");
    publish(issue(other, { name: "app", san: "DNS:app.shop.svc" }), clients);
    const report = await doctor(...all());
    expect(codes(report).sort()).toEqual(["bundle_lacks_authority", "client_refused"]);
    const refused = report.diagnoses.find(({ code }) => code === "client_refused");
    expect(refused?.remedy).toContain(`${join(stored, "ca.crt")} does not vouch for it`);
  });

  test("a pool that keeps connections of the certificate before", async () => {
    const read = (file: string): Buffer => readFileSync(join(clients, file));
    const holder = createIdentityHolder();
    holder.offer({ certificates: read("tls.crt"), key: read("tls.key"), trust: read("ca.crt") });
    await using source = holder.asSource({ reload: async () => {}, close: async () => {} });
    await using pool = createRotatingPool(source, {
      host: "127.0.0.1",
      port: server.port,
      user: "app",
      database: "postgres",
      application_name: "backend",
    });
    await pool.query("select 1");
    expect((await doctor(...all())).diagnoses).toEqual([]);
    publish(issue(authority, { name: "app", san: "DNS:app.shop.svc" }), clients);
    const report = await doctor(...all());
    expect(report).toMatchObject({ code: 0, diagnoses: [{ code: "old_connections", severity: "note" }] });
    expect(report.diagnoses[0]?.message).toContain("1 of 1 sessions");
    expect(report.diagnoses[0]?.message).toContain("app (backend)");
  });

  test("without a store named, PostgreSQL is asked where it reads, or its data directory is read", async () => {
    expect((await doctor(target, "--postgres", dsn)).code).toBe(0);
    expect((await doctor(target, "--postgres-data", at("postgres/data"))).code).toBe(0);
    publish(issue(), stored);
    for (const where of [
      ["--postgres", dsn],
      ["--postgres-data", at("postgres/data")],
    ]) {
      expect(codes(await doctor(target, ...where))).toEqual(["not_reloaded"]);
    }
  });

  test("nothing delivered yet, ssl off, and arguments that make no sense", async () => {
    mkdirSync(at("empty"), { recursive: true });
    expect(codes(await doctor(target, "--certs", at("empty")))).toEqual(["bootstrapping"]);
    await using plain = await startPostgres(postgres, mkdtempSync(at("plain-")));
    const report = await doctor(`postgres://127.0.0.1:${plain.port}`);
    expect(report).toMatchObject({ code: 1, targets: [{ verdict: "no_tls" }] });
    expect(await runNewleaf(["doctor"])).toMatchObject({ code: 2, stderr: expect.stringContaining("hint:") });
    expect(await runNewleaf(["doctor", "gopher://db"])).toMatchObject({ code: 2 });
  });
});

/** As `openssl ca -enddate` takes it. */
function utcTime(at: Date): string {
  return `${at
    .toISOString()
    .replaceAll(/[-:T]|\.\d+/g, "")
    .slice(2, 14)}Z`;
}
