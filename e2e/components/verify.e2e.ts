// `newleaf verify` against servers of other people, on certificates made by openssl: it tells what is served from what
// is stored before and after each server was told to read its files again.
// Needs: openssl; PostgreSQL, nginx and Envoy each for their own scenarios.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEnvoy } from "../../bench/peers/envoy.ts";
import { startNginx } from "../../bench/peers/nginx.ts";
import { freePort, type Peer } from "../../bench/peers/peer.ts";
import { component } from "../component.ts";
import { createOpensslAuthority, type OpensslAuthority } from "../openssl-authority.ts";
import { handOver, type Postgres, startPostgres } from "../postgres.ts";
import { runNewleaf } from "../process.ts";

const box = mkdtempSync(join(tmpdir(), "newleaf-verify-"));
const at = (path: string): string => join(box, path);
const names = { name: "backend", san: "DNS:localhost,IP:127.0.0.1" };
let authority: OpensslAuthority;
let made = 0;

/** A directory with a certificate of its own. */
function issue(identity: { name: string; san: string } = names): string {
  const directory = at(`issued-${++made}`);
  authority.issue(directory, identity);
  return directory;
}

const FILES = ["tls.crt", "tls.key", "ca.crt"];

/** Puts the files in place by rename, as the deliverer of a plain directory should. */
function publish(from: string, to: string, files: readonly string[] = FILES): void {
  mkdirSync(to, { recursive: true });
  for (const file of files) {
    copyFileSync(join(from, file), join(to, `.${file}`));
    renameSync(join(to, `.${file}`), join(to, file));
  }
}

interface Facts {
  readonly serialNumber: string;
  readonly sha256: string;
  readonly subject: string;
  readonly issuer: string;
  readonly notAfter: string;
}

interface Answer {
  readonly code: number;
  readonly ok: boolean;
  readonly target: string;
  readonly verdict: string;
  readonly served?: Facts & { readonly protocol: string; readonly chain: readonly Facts[] };
  readonly stored?: Facts;
  readonly chain?: { readonly ok: boolean; readonly code?: string };
  readonly message?: string;
}

async function verify(target: string, certs: string, within = "0s"): Promise<Answer> {
  const { code, stdout, stderr } = await runNewleaf([
    "verify", target, "--certs", certs, "--within", within, "--json",
  ]); // biome-ignore format: one command line
  if (stdout === "") throw new Error(`no answer, exit ${code}: ${stderr}`);
  const [answer] = (JSON.parse(stdout) as { targets: Answer[] }).targets;
  if (!answer) throw new Error(`no target in ${stdout}`);
  return { ...answer, code };
}

const equal = { verdict: "equal", ok: true, code: 0, chain: { ok: true } };

beforeAll(() => {
  chmodSync(box, 0o755);
  authority = createOpensslAuthority(at("authority"), "shop root");
});

afterAll(() => rmSync(box, { recursive: true }));

test("nothing listens: unreachable, with the reason (needs: openssl)", async () => {
  const target = `https://127.0.0.1:${await freePort()}`;
  const answer = await verify(target, issue());
  expect(answer).toMatchObject({
    verdict: "unreachable",
    ok: false,
    code: 1,
    message: expect.stringContaining("ECONNREFUSED"),
  });
  expect(answer.served).toBeUndefined();
});

const postgres = component("NEWLEAF_POSTGRES");

describe.skipIf(postgres === undefined)("PostgreSQL (needs: postgresql)", () => {
  const stored = at("postgres/certificates");
  let server: Postgres;
  let target: string;

  function store(from: string, files?: readonly string[]): void {
    publish(from, stored, files);
    handOver(stored);
  }

  beforeAll(async () => {
    store(issue());
    server = await startPostgres(postgres ?? "", at("postgres"), stored);
    target = `postgres://127.0.0.1:${server.port}`;
  });

  afterAll(async () => server?.[Symbol.asyncDispose]());

  test("replaced files are not served until the reload; before it, verify names what is", async () => {
    const first = await verify(target, stored);
    expect(first).toMatchObject({ ...equal, target, stored: { subject: "CN=backend" } });
    expect(first.served).toMatchObject({ protocol: "TLSv1.3", issuer: "CN=shop root", chain: [] });
    expect(first.served?.sha256).toBe(first.stored?.sha256);

    store(issue());
    const second = await verify(target, stored, "500ms");
    expect(second).toMatchObject({ verdict: "older", ok: false, code: 1 });
    expect(second.served?.sha256).toBe(first.served?.sha256);
    expect(second.stored?.sha256).not.toBe(first.served?.sha256);
    const { code, stdout } = await runNewleaf(["verify", target, "--certs", stored, "--within", "0s"]);
    expect(code).toBe(1);
    expect(stdout).toContain(first.served?.serialNumber.slice(0, 8));
    expect(stdout).toMatch(/older .*localhost.* in 23h/);
    expect(stdout).toContain("still serves an older certificate than the one stored");

    server.reload();
    expect(await verify(target, stored, "5s")).toMatchObject(equal);
  });

  test("a mismatched pair is refused by it without a word: the old one stays, and verify says so", async () => {
    const before = await verify(target, stored);
    const next = issue();
    store(next, ["tls.crt"]);
    server.reload();
    const against = await verify(target, next, "500ms");
    expect(against).toMatchObject({ verdict: "older", ok: false, code: 1 });
    expect(against.served?.sha256).toBe(before.served?.sha256);

    const { code, stderr } = await runNewleaf(["verify", target, "--certs", stored, "--timeout", "3s"]);
    expect(code).toBe(1);
    expect(stderr).toContain("tls.key does not belong to the certificate CN=backend");

    store(next);
    server.reload();
    expect(await verify(target, stored, "5s")).toMatchObject(equal);
  });

  test("somebody else's certificate is foreign", async () => {
    const other = issue({ name: "billing", san: "DNS:billing.shop.svc" });
    const answer = await verify(target, other);
    expect(answer).toMatchObject({ verdict: "foreign", ok: false, code: 1 });
    expect(answer.message).toContain("localhost");
  });

  test("without ssl it is unreachable, and the message says that it has no TLS", async () => {
    await using plain = await startPostgres(postgres ?? "", mkdtempSync(at("plain-")));
    const answer = await verify(`postgres://127.0.0.1:${plain.port}`, stored);
    expect(answer).toMatchObject({ verdict: "unreachable", ok: false, code: 1 });
    expect(answer.message).toContain("ssl is off");
  });

  test("TLS without its SSLRequest is unreachable too, with the reason", async () => {
    const answer = await verify(`tls://127.0.0.1:${server.port}`, stored);
    expect(answer).toMatchObject({ verdict: "unreachable", ok: false, code: 1 });
    expect(answer.message).toContain("disconnected before secure TLS connection");
  });
});

describe.skipIf(component("NEWLEAF_NGINX") === undefined)("nginx (needs: nginx)", () => {
  test("equal, then older until it is told to reload", async () => {
    const peer = await start("nginx", startNginx);
    try {
      const target = `https://127.0.0.1:${peer.port}`;
      expect(await verify(target, at("nginx/certificates"))).toMatchObject(equal);
      publish(issue(), at("nginx/certificates"));
      expect(await verify(target, at("nginx/certificates"), "500ms")).toMatchObject({
        verdict: "older",
        ok: false,
        code: 1,
        chain: { ok: true },
      });
      await peer.reload?.();
      expect(await verify(target, at("nginx/certificates"), "5s")).toMatchObject(equal);
    } finally {
      await peer.stop();
    }
  });
});

describe.skipIf(component("NEWLEAF_ENVOY") === undefined)("Envoy (needs: envoy)", () => {
  test("equal by itself after a rename, older after files were written in place, which it does not see", async () => {
    const peer = await start("envoy", startEnvoy);
    const stored = at("envoy/certificates");
    try {
      const target = `https://127.0.0.1:${peer.port}`;
      expect(await verify(target, stored, "5s")).toMatchObject(equal);
      publish(issue(), stored);
      expect(await verify(target, stored, "5s")).toMatchObject(equal);

      const next = issue();
      for (const file of FILES) copyFileSync(join(next, file), join(stored, file));
      expect(await verify(target, stored, "500ms")).toMatchObject({ verdict: "older", ok: false, code: 1 });
      publish(next, stored);
      expect(await verify(target, stored, "5s")).toMatchObject(equal);
    } finally {
      await peer.stop();
    }
  });
});

async function start(name: string, startPeer: typeof startNginx): Promise<Peer> {
  const directory = at(`${name}/certificates`);
  publish(issue(), directory);
  return startPeer({ directory, workDirectory: at(name) });
}
