// The closed loop on a real PostgreSQL: SVIDs of a Workload API go through `newleaf helper` into its files, it is told, and
// a handshake has to show the new leaf. Without the loop the outage of the stack this comes from is reproduced, and
// explained by the doctor. Needs: PostgreSQL.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { createRotatingPool, type RotatingPool } from "@newleaf/rotation/pg";
import { spiffe, watchSpiffe } from "@newleaf/spiffe";
import {
  createSpiffeAuthority,
  type IssuedX509Svid,
  startWorkloadApi,
  type WorkloadApiServer,
} from "@newleaf/testing";
import { parseCertificates } from "@newleaf/x509";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { freePort } from "../../bench/peers/peer.ts";
import { component } from "../component.ts";
import { handOver, type Postgres, startPostgres } from "../postgres.ts";
import { type RunningProcess, run, runNewleaf, startNewleaf } from "../process.ts";
import { until } from "../until.ts";

const postgres = component("NEWLEAF_POSTGRES") ?? "";
const box = mkdtempSync(join(tmpdir(), "newleaf-helper-pg-"));
chmodSync(box, 0o755);
const rotations = 20;
let scenes = 0;

/** A database whose files a helper writes, and a backend with a pool, each with an SVID of its own. */
interface Scene {
  readonly directory: string;
  readonly certs: string;
  readonly database: WorkloadApiServer;
  readonly server: Postgres;
  readonly pool: RotatingPool;
  /** Of which each query has a session of its own. */
  readonly fresh: RotatingPool;
  startHelper(...lines: readonly string[]): Promise<Helper>;
}

interface Helper extends AsyncDisposable {
  readonly process: RunningProcess;
  records(): Promise<readonly RotationRow[]>;
  ready(): Promise<{ readonly status: number; readonly text: string }>;
}

interface RotationRow {
  readonly sha256: string;
  readonly outcome: string;
  readonly reason?: { readonly code: string; readonly message: string };
  readonly stillServed?: { readonly sha256: string };
}

describe.skipIf(postgres === "")("helper and PostgreSQL (needs: postgresql)", () => {
  let cleanUp: (() => PromiseLike<unknown>)[] = [];

  /** The first files come from a one-shot run, as from an init container. */
  async function setTheScene(how: { ttlMs?: number; keyByHand?: true } = {}): Promise<Scene> {
    const { ttlMs, keyByHand } = how;
    const directory = join(box, `scene-${++scenes}`);
    const certs = join(directory, "certs");
    mkdirSync(certs, { recursive: true });
    chmodSync(directory, 0o755);
    const authority = createSpiffeAuthority({ trustDomain: "shop.example" });
    const database = await startWorkloadApi({
      authority,
      workloads: [{ path: "/postgres", issue: { dnsNames: ["localhost"] }, ...(ttlMs && { ttlMs }) }],
    });
    const backend = await startWorkloadApi({
      authority,
      workloads: [{ path: "/backend", issue: { extra: { subject: "CN=app,O=SPIRE,C=US" } } }],
    });
    cleanUp = [() => database[Symbol.asyncDispose](), () => backend[Symbol.asyncDispose]()];
    const startHelper = createHelpers(directory, certs, database.address);
    const first = await runNewleaf([
      "helper",
      "-config",
      writeConfig(directory, certs, database.address),
      "-daemon-mode=false",
    ]);
    expect(first, first.stderr).toMatchObject({ code: 0 });
    mkdirSync(join(directory, "postgres"));
    const served = keyByHand ? join(directory, "served") : certs;
    if (keyByHand) {
      mkdirSync(served);
      symlinkSync(join(certs, "tls.crt"), join(served, "tls.crt"));
      copyKeyByHand(directory);
    }
    const server = await startPostgres(postgres, join(directory, "postgres"), served);
    cleanUp.unshift(() => server[Symbol.asyncDispose]());
    const admin = `postgres://newleaf@127.0.0.1:${server.port}/postgres?sslmode=disable`;
    await psql(admin, `alter system set ssl_ca_file = '${join(certs, "ca.crt")}'`);
    await psql(admin, "create role app login");
    writeFileSync(
      join(directory, "postgres/data/pg_hba.conf"),
      "host all newleaf 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 cert clientcert=verify-full\n",
    );
    server.reload();
    const identity = await watchSpiffe({ address: backend.address });
    const options = {
      host: "localhost",
      port: server.port,
      database: "postgres",
      user: "app",
      authorizeServer: spiffe.id("spiffe://shop.example/postgres"),
    };
    const pool = createRotatingPool(identity, { ...options, max: 6 });
    const fresh = createRotatingPool(identity, { ...options, max: 2, maxUses: 1 });
    cleanUp.unshift(
      () => pool[Symbol.asyncDispose](),
      () => fresh[Symbol.asyncDispose](),
      () => identity[Symbol.asyncDispose](),
    );
    await until("the database lets the backend in", () =>
      pool.query("select 1").then(
        () => true,
        () => false,
      ),
    );
    return { directory, certs, database, server, pool, fresh, startHelper };
  }

  afterEach(async () => {
    for (const each of cleanUp.splice(0)) await each();
  });
  afterAll(() => rmSync(box, { recursive: true }));

  test(`${rotations} rotations under load: no query fails, and each new session is shown the current leaf within a second`, async () => {
    const { database, pool, fresh, server, startHelper } = await setTheScene();
    await using helper = await startHelper(
      `reload "postgres" {`,
      `  dsn = "postgres://newleaf@127.0.0.1:${server.port}/postgres?sslmode=disable"`,
      `  verify { address = "localhost:${server.port}" protocol = "postgres" }`,
      "}",
    );
    const load = startLoad(pool);
    const late: string[] = [];
    for (let rotation = 1; rotation <= rotations; rotation++) {
      const [svid] = database.rotate();
      const delivered = performance.now();
      const sha256 = leafOf(svid);
      while ((await leafOfNewSession(fresh)) !== sha256) {
        if (performance.now() - delivered > 5_000) throw new Error("the new leaf is not served");
      }
      if (performance.now() - delivered > 1_000) late.push(`rotation ${rotation}`);
      const record = await until("the record is complete", async () =>
        (await helper.records()).find((each) => each.sha256 === sha256 && each.outcome === "complete"),
      );
      expect(record).toMatchObject({ outcome: "complete" });
    }
    const { queries, failures } = await load.end();
    expect(failures).toEqual([]);
    expect(queries).toBeGreaterThan(rotations * 5);
    expect(late).toEqual([]);
    expect((await helper.ready()).status).toBe(200);
  });

  test("a key that does not belong, put in place by hand: PostgreSQL keeps what it has, and the loop says what that is", async () => {
    const { database, directory, server, startHelper } = await setTheScene({ keyByHand: true });
    const before = leafOf(database.svids[0]);
    await using helper = await startHelper(
      `reload "postgres" {`,
      `  data_dir = "${join(directory, "postgres/data")}"`,
      `  verify { address = "localhost:${server.port}" protocol = "postgres" timeout = "1s" }`,
      "}",
    );
    await until("the first is proved", async () => (await helper.ready()).status === 200);
    const [svid] = database.rotate();
    const stalled = await until("the record stalls", async () =>
      (await helper.records()).find((each) => each.sha256 === leafOf(svid) && each.outcome === "stalled"),
    );
    expect(stalled).toMatchObject({ reason: { code: "not_served" }, stillServed: { sha256: before } });
    expect(await helper.ready()).toMatchObject({ status: 503, text: expect.stringContaining("postgres") });
    // Mended by hand, it needs nobody to start anything again: the loop goes on trying.
    copyKeyByHand(directory);
    await until("it is proved in the end", async () =>
      (await helper.records()).find((each) => each.sha256 === leafOf(svid) && each.outcome === "complete"),
    );
    expect((await helper.ready()).status).toBe(200);
  });

  test("without a reload the files rotate and the server does not: it fails at expiry, and the doctor says so before and after", async () => {
    const ttlMs = 20_000;
    const { certs, database, fresh, server, startHelper } = await setTheScene({ ttlMs });
    const expires = database.svids[0]?.identity.certificate.notAfter.getTime() ?? 0;
    await using _helper = await startHelper();
    const [svid] = database.rotate();
    await until("the file is the new one", () => stored(certs) === leafOf(svid));
    const target = `postgres://localhost:${server.port}`;
    const before = await doctor(target, "--certs", certs);
    expect(before).toMatchObject({ code: 1, codes: ["not_reloaded"] });

    const load = startLoad(fresh);
    const failed = await until("queries fail", () => load.failures.length > 0, ttlMs + 20_000);
    expect(failed).toBe(true);
    expect(Date.now()).toBeGreaterThan(expires - 1_000);
    const { failures } = await load.end();
    expect(failures.join("\n")).toMatch(/expired/);
    database.rotate();
    const after = await doctor(target, "--certs", certs);
    expect(after).toMatchObject({ code: 1, codes: ["served_expired"] });
  });
});

function createHelpers(directory: string, certs: string, address: string): Scene["startHelper"] {
  return async (...lines) => {
    const admin = await freePort();
    const config = writeConfig(directory, certs, address, lines);
    const process = startNewleaf(["helper", "-config", config], {
      NEWLEAF_HELPER_ADMIN: `127.0.0.1:${admin}`,
    });
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${admin}${path}`);
      return { status: response.status, text: await response.text() };
    };
    await until("the helper answers", () =>
      get("/livez").then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    return {
      process,
      async records() {
        const { status, text } = await get("/rotations");
        return status === 200 ? (JSON.parse(text) as { rotations: RotationRow[] }).rotations : [];
      },
      ready: () => get("/readyz?verbose"),
      [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
    };
  };
}

function writeConfig(
  directory: string,
  certs: string,
  address: string,
  lines: readonly string[] = [],
): string {
  const path = join(directory, "helper.conf");
  const owner = ownerOf();
  const all = [
    `agent_address = "${address}"`,
    `cert_dir = "${certs}"`,
    `svid_file_name = "tls.crt"`,
    `svid_key_file_name = "tls.key"`,
    `svid_bundle_file_name = "ca.crt"`,
    ...(owner === undefined ? [] : [`file_owner = "${owner}"`]),
    ...lines,
  ];
  writeFileSync(path, all.join("\n"));
  return path;
}

/** The key as it is now, for a server that is not given the helper's own file. */
function copyKeyByHand(directory: string): void {
  writeFileSync(join(directory, "served/tls.key"), readFileSync(join(directory, "certs/tls.key")), {
    mode: 0o600,
  });
  handOver(join(directory, "served"));
}

/** PostgreSQL's user, where it is another than ours. */
function ownerOf(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = ["-u", "-g"].map((flag) =>
    execFileSync("id", [flag, "postgres"], { encoding: "utf8" }).trim(),
  );
  return `${uid}:${gid}`;
}

async function psql(dsn: string, sql: string): Promise<string> {
  const { code, stdout, stderr } = await run(join(dirname(postgres), "psql"), [
    dsn, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql,
  ]); // biome-ignore format: one command line
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

async function doctor(...args: readonly string[]): Promise<{ code: number; codes: readonly string[] }> {
  const { code, stdout, stderr } = await runNewleaf(["doctor", ...args, "--json"]);
  if (stdout === "") throw new Error(`no report, exit ${code}: ${stderr}`);
  const { diagnoses } = JSON.parse(stdout) as { diagnoses: readonly { code: string }[] };
  return { code, codes: diagnoses.map((each) => each.code) };
}

function leafOf(svid: IssuedX509Svid | undefined): string {
  return svid?.identity.certificate.sha256 ?? "none";
}

function stored(certs: string): string | undefined {
  return parseCertificates(readFileSync(join(certs, "tls.crt")))[0]?.sha256;
}

async function leafOfNewSession(fresh: RotatingPool): Promise<string> {
  const client = await fresh.connect();
  try {
    const { stream } = (client as unknown as { connection: { stream: TLSSocket } }).connection;
    return stream.getPeerCertificate().fingerprint256.replaceAll(":", "").toLowerCase();
  } finally {
    client.release();
  }
}

/** Queries by several workers until it is ended. */
function startLoad(pool: RotatingPool) {
  const ending = new AbortController();
  const failures: string[] = [];
  let queries = 0;
  const worker = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      try {
        await pool.query("select pg_sleep(0.01)");
        queries += 1;
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
        await sleep(20);
      }
    }
  };
  const workers = Promise.all(Array.from({ length: 4 }, worker));
  return {
    failures,
    async end() {
      ending.abort();
      await workers;
      return { queries, failures };
    },
  };
}
