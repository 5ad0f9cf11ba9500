// A rotating pool on a real PostgreSQL that takes certificates only (hba method cert, clientcert=verify-full): both
// sides rotate under load, and everything that may be wrong between them is told apart.
// Needs: openssl, PostgreSQL; the Node LTS for one scenario.
import { X509Certificate } from "node:crypto";
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
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { allow, createIdentityHolder, type IdentitySource, proveServed, watchFiles } from "@newleaf/rotation";
import { createRotatingPool, type RotatingPool, type RotatingPoolOptions } from "@newleaf/rotation/pg";
import { parseCertificate } from "@newleaf/x509";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { component } from "../component.ts";
import { createOpensslAuthority, type OpensslAuthority } from "../openssl-authority.ts";
import { handOver, type Postgres, startPostgres } from "../postgres.ts";
import { run, startProcess } from "../process.ts";

const postgres = component("NEWLEAF_POSTGRES") ?? "";
const lts = component("NEWLEAF_NODE_LTS");
const box = mkdtempSync(join(tmpdir(), "newleaf-pg-"));
const at = (path: string): string => join(box, path);
const stored = { server: at("server-certificates"), client: at("client-certificates") };
const SERVER_ID = "spiffe://shop.example/postgres";
const deadline = (): AbortSignal => AbortSignal.timeout(20_000);
let authority: OpensslAuthority;
let server: Postgres;
let made = 0;

const identities = {
  server: { name: "db", san: `DNS:localhost,IP:127.0.0.1,URI:${SERVER_ID}` },
  client: { name: "app", san: "URI:spiffe://shop.example/app" },
};

/** Puts new files in place by rename. */
function deliver(side: "server" | "client"): X509Certificate {
  const directory = at(`issued-${++made}`);
  authority.issue(directory, identities[side]);
  mkdirSync(stored[side], { recursive: true });
  for (const file of ["tls.crt", "tls.key", "ca.crt"]) {
    copyFileSync(join(directory, file), join(stored[side], `.${file}`));
    renameSync(join(stored[side], `.${file}`), join(stored[side], file));
  }
  if (side === "server") handOver(stored.server);
  return onDisk(side);
}

function onDisk(side: "server" | "client"): X509Certificate {
  return new X509Certificate(readFileSync(join(stored[side], "tls.crt")));
}

/** As the superuser, past all certificates: the hba file lets it in by trust. */
async function psql(sql: string): Promise<string> {
  const { code, stdout, stderr } = await run(join(dirname(postgres), "psql"), [
    `postgres://newleaf@127.0.0.1:${server.port}/postgres`, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql,
  ]); // biome-ignore format: one command line
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

const pool = (source: IdentitySource, options: RotatingPoolOptions = {}): RotatingPool =>
  createRotatingPool(source, {
    host: "localhost",
    port: server.port,
    database: "postgres",
    user: "app",
    drainTimeoutMs: 20_000,
    ...options,
  });

/** A source in memory, whose `reload` does what the test says. */
function memory(files: Files, reload = async () => {}) {
  const holder = createIdentityHolder();
  const offer = (given: Files): void => {
    const { crt, key, ca } = given;
    expect(holder.offer({ certificates: crt, key, trust: ca })).toMatchObject({ outcome: "accepted" });
  };
  offer(files);
  const source = holder.asSource({ reload, close: async () => {} });
  return { offer, source, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
}

type Files = Record<"crt" | "key" | "ca", Buffer>;

function issued(
  from: OpensslAuthority,
  identity: { readonly name: string; readonly san: string; readonly end?: string } = identities.client,
): Files {
  const directory = at(`issued-${++made}`);
  from.issue(directory, identity);
  const read = (file: string): Buffer => readFileSync(join(directory, file));
  return { crt: read("tls.crt"), key: read("tls.key"), ca: read("ca.crt") };
}

function recorder() {
  const lines: string[] = [];
  const note = (fields: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  return { lines, debug: note, info: note, warn: note, error: note };
}

/** SHA-256 of the leaves of both sides. */
interface Session {
  readonly own: string;
  readonly shown: string;
}

function sessionOf(client: { readonly connection: { readonly stream: unknown } }): Session {
  const socket = client.connection.stream as TLSSocket;
  const own = socket.getCertificate() as PeerCertificate;
  return { own: own.fingerprint256, shown: socket.getPeerCertificate().fingerprint256 };
}

const MINE = "select client_serial::text as serial from pg_stat_ssl where pid = pg_backend_pid()";

/** Serial numbers as PostgreSQL has them: in decimal. */
const decimal = ({ serialNumber }: X509Certificate): string => BigInt(`0x${serialNumber}`).toString();

describe.skipIf(postgres === "")("pool on PostgreSQL (needs: postgresql, openssl)", () => {
  beforeAll(async () => {
    chmodSync(box, 0o755);
    authority = createOpensslAuthority(at("authority"), "shop root");
    deliver("server");
    deliver("client");
    mkdirSync(at("postgres"));
    server = await startPostgres(postgres, at("postgres"), stored.server);
    await psql(`alter system set ssl_ca_file = '${join(stored.server, "ca.crt")}'`);
    await psql("alter system set password_encryption = 'scram-sha-256'");
    await psql("create role app login; create role teller login");
    await psql("set password_encryption = 'scram-sha-256'; alter role teller password 'not a secret'");
    writeFileSync(
      at("postgres/data/pg_hba.conf"),
      [
        "host    all newleaf 127.0.0.1/32 trust",
        "hostssl all teller  127.0.0.1/32 scram-sha-256 clientcert=verify-ca",
        "hostssl all all     127.0.0.1/32 cert clientcert=verify-full",
      ].join("\n"),
    );
    const loaded = "select pg_conf_load_time()";
    const before = await psql(loaded);
    server.reload();
    await vi.waitFor(async () => expect(await psql(loaded)).not.toBe(before), 10_000);
  });

  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(box, { recursive: true });
  });

  test("twenty rotations of both sides under load: no query fails, every new session is of the newest", async () => {
    await using identity = await watchFiles({ directory: stored.client });
    await using db = pool(identity, { max: 6 });
    const sessions: Session[] = [];
    db.on("connect", (client) => sessions.push(sessionOf(client)));
    const stop = new AbortController();
    const failures: unknown[] = [];
    let answered = 0;
    const workers = Array.from({ length: 8 }, async (_, worker) => {
      while (!stop.signal.aborted) {
        const query = db.query(worker % 4 === 0 ? "select pg_sleep(0.05)" : "select 1");
        await query.then(
          () => answered++,
          (error) => {
            failures.push(error);
            stop.abort();
          },
        );
      }
    });
    try {
      for (let rotation = 2; rotation <= 21; rotation++) {
        const serverLeaf = deliver("server");
        server.reload();
        await served(serverLeaf);
        const clientLeaf = deliver("client");
        const record = await db.rotation.whenComplete(rotation, deadline());
        expect(record).toMatchObject({ outcome: "complete", consumers: [{ name: "pg" }] });
        // PostgreSQL says itself whose certificate each session showed.
        const asked = await Promise.all(Array.from({ length: 12 }, () => db.query(MINE)));
        expect(new Set(asked.map(({ rows }) => rows[0].serial))).toEqual(new Set([decimal(clientLeaf)]));
        // Those opened with our newest leaf were opened after the server had proved its own.
        const opened = sessions.filter(({ own }) => own === clientLeaf.fingerprint256);
        expect(opened.length).toBeGreaterThan(0);
        expect(new Set(opened.map(({ shown }) => shown))).toEqual(new Set([serverLeaf.fingerprint256]));
      }
    } finally {
      stop.abort();
      await Promise.all(workers);
    }
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(200);
    expect(db.totalCount).toBeLessThanOrEqual(6);
  }, 120_000);

  test("a transaction outlives the rotation on its own connection, which is closed at its release", async () => {
    await using identity = await watchFiles({ directory: stored.client });
    await using db = pool(identity, { max: 2 });
    const busy = await db.connect();
    await busy.query("begin");
    const { rows: before } = await busy.query(MINE);
    await db.query("select 1");
    expect(db.idleCount).toBe(1);

    const leaf = deliver("client");
    await db.rotation.whenServed(2, deadline());
    await expect.poll(() => db.totalCount).toBe(1);
    expect((await db.query(MINE)).rows[0].serial).toBe(decimal(leaf));
    expect(db.rotation.current().stages.drained).toBeUndefined();
    expect((await busy.query(MINE)).rows).toEqual(before);
    await busy.query("commit");
    busy.release();
    const record = await db.rotation.whenComplete(2, deadline());
    expect(record.consumers[0]?.drained).toMatchObject({ connections: 2, closed: 2, cut: 0 });
  });

  test("the server is known by its URI name: the right one is let in, another is not", async () => {
    await using identity = await watchFiles({ directory: stored.client });
    await using right = pool(identity, { host: "127.0.0.1", authorizeServer: allow.spiffeId(SERVER_ID) });
    await using wrong = pool(identity, { authorizeServer: allow.spiffeId("spiffe://shop.example/billing") });
    expect((await right.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await expect(wrong.query("select 1")).rejects.toMatchObject({ code: "ERR_ROTATION_SERVER_REFUSED" });
    expect(wrong.totalCount).toBe(0);
  });

  test("a server of another authority, or of another name, is refused after one more attempt", async () => {
    const other = createOpensslAuthority(at("other-authority"), "other root");
    const log = recorder();
    await using untrusting = memory(issued(other));
    await using stranger = pool(untrusting.source, { logger: log });
    await expect(stranger.query("select 1")).rejects.toThrow(/self-signed|unable to|issuer/i);
    expect(log.lines.filter((line) => line.includes("trying once more"))).toHaveLength(1);

    await using trusting = memory(issued(authority));
    await using misnamed = pool(trusting.source, { host: "billing.shop.svc", stream: () => new Diverted() });
    await expect(misnamed.query("select 1")).rejects.toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  test("a server that does not know our authority: the error names our certificate", async () => {
    const other = createOpensslAuthority(at("unknown-authority"), "unknown root");
    const ours = issued(other);
    const log = recorder();
    await using source = memory({ ...ours, ca: Buffer.concat([ours.ca, readFileSync(authority.caFile)]) });
    await using db = pool(source.source, { logger: log });
    const refused = db.query("select 1");
    await expect(refused).rejects.toMatchObject({ code: "ERR_ROTATION_CLIENT_REFUSED" });
    await expect(refused).rejects.toThrow("spiffe://shop.example/app");
    expect(log.lines.filter((line) => line.includes("trying once more"))).toHaveLength(1);
  });

  test("a certificate of somebody else is not our role: PostgreSQL's own words come through", async () => {
    await using source = memory(issued(authority, { ...identities.client, name: "intruder" }));
    await using db = pool(source.source);
    await expect(db.query("select 1")).rejects.toThrow('certificate authentication failed for user "app"');
  });

  test("an attempt that failed with a certificate just being replaced succeeds with the newest", async () => {
    const other = createOpensslAuthority(at("former-authority"), "former root");
    const newest = issued(authority);
    await using source = memory(issued(other), async () => source.offer(newest));
    await using db = pool(source.source, { max: 4 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => db.query("select 1 as one")));
    expect(answers.map(({ rows }) => rows[0].one)).toEqual(Array(8).fill(1));
    expect(source.source.current().number).toBe(2);
  });

  test("sessions ended by the server, idle or checked out, end no process and the pool goes on", async () => {
    await using identity = await watchFiles({ directory: stored.client });
    const log = recorder();
    await using db = pool(identity, { logger: log });
    const busy = await db.connect();
    await db.query("select 1");
    await psql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'");
    await expect.poll(() => log.lines.join()).toContain("idle database connection lost");
    await expect(busy.query("select 1")).rejects.toThrow();
    busy.release(true);
    expect((await db.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  });

  test("a connection's lifetime is bounded", async () => {
    await using identity = await watchFiles({ directory: stored.client });
    await using db = pool(identity, { maxLifetimeSeconds: 0.2 });
    await db.query("select 1");
    expect(db.totalCount).toBe(1);
    await expect.poll(() => db.totalCount).toBe(0);
  });

  test("end waits for what is checked out and until the sockets are closed; disposal no longer than it is told", async () => {
    await using identity = await watchFiles({ directory: stored.client });
    const db = pool(identity, { application_name: "ending" });
    const busy = await db.connect();
    await db.query("select 1");
    const ending = db.end();
    await busy.query("select pg_sleep(0.1)");
    busy.release();
    await ending;
    await expect
      .poll(() => psql("select count(*) from pg_stat_activity where application_name = 'ending'"))
      .toBe("0");
    await expect(db.query("select 1")).rejects.toThrow("after calling end");

    const held = pool(identity, { closeTimeoutMs: 100 });
    const client = await held.connect();
    await held[Symbol.asyncDispose]();
    await expect(client.query("select 1")).rejects.toThrow();
  });

  test("a session outlives its client's certificate, for PostgreSQL does not look again; a new one is refused", async () => {
    const end = new Date(Date.now() + 4_000);
    await using source = memory(issued(authority, { ...identities.client, end: utcTime(end) }));
    await using db = pool(source.source);
    const client = await db.connect();
    await client.query("select 1");
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(end.getTime() + 1_000), 10_000);
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await expect(db.query("select 1")).rejects.toMatchObject({ code: "ERR_ROTATION_CLIENT_REFUSED" });
    client.release();
  });

  test("PostgreSQL does not start with a key that others may read", async () => {
    const [directory, certificates] = [mkdtempSync(at("open-key-")), at("open-key-certificates")];
    authority.issue(certificates, identities.server);
    handOver(certificates);
    chmodSync(join(certificates, "tls.key"), 0o644);
    await expect(startPostgres(postgres, directory, certificates)).rejects.toThrow();
    expect(readFileSync(join(directory, "postgres.log"), "utf8")).toContain("has group or world access");
  });

  test("a password is bound to the channel", async () => {
    await using identity = await watchFiles({ directory: stored.client });
    const login = { user: "teller", password: "not a secret" };
    await using db = pool(identity, { ...login, enableChannelBinding: true });
    expect((await db.query("select current_user as me")).rows).toEqual([{ me: "teller" }]);
  });

  test.skipIf(lts === undefined)("the example on the Node LTS (needs: node-lts)", async () => {
    await using example = startProcess(
      lts ?? "",
      [fileURLToPath(new URL("../../examples/postgres-pool.ts", import.meta.url))],
      {
        CERTS: stored.client,
        DATABASE_URL: `postgres://app@localhost:${server.port}/postgres?sslmode=verify-full`,
      },
    );
    const before = onDisk("client");
    await example.line(new RegExp(`serial ${decimal(before)}`));
    const leaf = deliver("client");
    await example.line(new RegExp(`serial ${decimal(leaf)}`));
    example.child.kill("SIGTERM");
    expect(await example.exit(10_000)).toBe(0);
  });
});

async function served(leaf: X509Certificate): Promise<void> {
  const [report] = await proveServed([`postgres://localhost:${server.port}`], parseCertificate(leaf.raw));
  expect(report).toMatchObject({ verdict: "equal" });
}

/** A socket that goes to the server whatever it is told. */
class Diverted extends Socket {
  override connect(): this {
    return super.connect({ port: server.port, host: "127.0.0.1" });
  }
}

/** As `openssl ca -enddate` takes it. */
function utcTime(time: Date): string {
  return `${time
    .toISOString()
    .replaceAll(/[-:T]|\.\d+/g, "")
    .slice(2, 14)}Z`;
}
