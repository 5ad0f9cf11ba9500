// The refusal matrix of `newleaf probe --rogue`, on an authority of `newleaf ca`: everything refused by
// `newleaf proxy server`, and let in by an nginx that asks for no certificate. And the whole story, `newleaf demo`.
// Needs: nothing for the proxy and the demo; nginx for the contrast.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, startProcess } from "../../bench/peers/peer.ts";
import { component } from "../component.ts";
import { runNewleaf } from "../process.ts";
import { startProxy } from "../proxy.ts";

const box = mkdtempSync(join(tmpdir(), "newleaf-rogue-"));
const at = (path: string): string => join(box, path);

interface Report {
  readonly ok: boolean;
  readonly results: readonly { row: string; verdict: string; seen: string }[];
}

const ROWS = [
  "no_certificate", "unknown_authority", "impostor_authority", "foreign_expired", "foreign_ca_as_leaf", "expired",
  "not_yet_valid", "wrong_usage", "not_allowed", "chain_incomplete", "ca_as_leaf", "revoked", "resumed_after_expiry",
  "unsupported_protocol", "plain_http", "not_tls", "handshake_timeout",
]; // biome-ignore format: one list

async function ca(...args: string[]): Promise<void> {
  const { code, stderr } = await runNewleaf(["ca", ...args]);
  if (code !== 0) throw new Error(`newleaf ca ${args.join(" ")}: ${stderr}`);
}

async function rogue(
  url: string,
): Promise<{ code: number; report: Report; verdicts: Record<string, string> }> {
  const { code, stdout, stderr } = await runNewleaf([
    "probe", url, "--rogue", "--certs", at("frontend"), "--ca", at("ca"), "--revoked", at("stolen"), "--json",
  ]); // biome-ignore format: one command line
  if (stdout === "") throw new Error(`no report, exit ${code}: ${stderr}`);
  const report = JSON.parse(stdout) as Report;
  return {
    code,
    report,
    verdicts: Object.fromEntries(report.results.map(({ row, verdict }) => [row, verdict])),
  };
}

beforeAll(async () => {
  await ca("init", at("ca"), "--name", "shop root");
  await ca("issue", "backend", "--ca", at("ca"), "--out", at("backend"));
  await ca("issue", "frontend", "--ca", at("ca"), "--dns", "frontend.shop.svc", "--out", at("frontend"));
  // Under an allowed name, so that only the revocation can be the reason.
  await ca("issue", "stolen", "--ca", at("ca"), "--dns", "frontend.shop.svc", "--out", at("stolen"));
  await ca("revoke", "stolen", "--ca", at("ca"), "--reason", "keyCompromise", "--copy-to", at("crl.pem"));
});

afterAll(() => rmSync(box, { recursive: true }));

test("newleaf proxy server refuses every row, serves the control, and logs each under its code (needs: nothing)", async () => {
  await using proxy = await startProxy(at("backend"), [
    "--allow-dns", "frontend.shop.svc", "--crl", at("crl.pem"), "--handshake-timeout", "2s",
  ]); // biome-ignore format: one command line
  const since = proxy.mark();
  const { code, report, verdicts } = await rogue(`https://localhost:${proxy.port}/`);
  expect(verdicts).toEqual({ control: "served", ...Object.fromEntries(ROWS.map((row) => [row, "refused"])) });
  expect(report.ok).toBe(true);
  expect(code).toBe(0);
  // The rest differ in what they present, not in the reason; an intermediate that was never sent is nobody's.
  const otherReason = [
    "impostor_authority",
    "foreign_expired",
    "foreign_ca_as_leaf",
    "chain_incomplete",
    "resumed_after_expiry",
  ];
  for (const row of ROWS.filter((name) => !otherReason.includes(name))) {
    expect(await proxy.refusal(row, since), row).toMatchObject({ code: row });
  }
});

test.skipIf(component("NEWLEAF_NGINX") === undefined)(
  "an nginx that asks for no certificate lets them in, and the exit says so (needs: nginx)",
  async () => {
    await using nginx = await startLaxNginx(component("NEWLEAF_NGINX") ?? "");
    const { code, report, verdicts } = await rogue(`https://localhost:${nginx.port}/`);
    expect(code).toBe(1);
    expect(report.ok).toBe(false);
    expect(verdicts).toMatchObject({
      control: "served",
      no_certificate: "let_in",
      unknown_authority: "let_in",
      expired: "let_in",
      revoked: "let_in",
      plain_http: "refused",
      not_tls: "refused",
    });
    const { stdout } = await runNewleaf(["probe", `https://localhost:${nginx.port}/`, "--rogue"]);
    expect(stdout).toMatch(/LET IN: no_certificate, unknown_authority/);
  },
);

async function startLaxNginx(program: string): Promise<{ port: number } & AsyncDisposable> {
  const directory = at("nginx");
  mkdirSync(directory);
  for (const file of ["tls.crt", "tls.key"]) copyFileSync(at(`backend/${file}`), join(directory, file));
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path "${directory}/${kind}";`)
    .join(" ");
  writeFileSync(
    join(directory, "nginx.conf"),
    `daemon off; pid "${directory}/nginx.pid"; error_log "${directory}/error.log"; events {}
http { access_log off; ${temporary} client_header_timeout 2s;
  server { listen 127.0.0.1:${port} ssl; ssl_certificate tls.crt; ssl_certificate_key tls.key; ssl_verify_client off;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / { return 200 "hello\\n"; } } }\n`,
  );
  const { stop } = await startProcess({
    name: "nginx",
    program,
    args: ["-e", join(directory, "error.log"), "-p", directory, "-c", join(directory, "nginx.conf")],
    port,
    workDirectory: directory,
  });
  return { port, [Symbol.asyncDispose]: stop };
}

test("newleaf demo rolls, refuses and fails only where it should, and says so in JSON (needs: nothing)", async () => {
  const { code, stdout, stderr } = await runNewleaf(["demo", "--duration", "12s", "--json"]);
  const result = JSON.parse(stdout) as Record<string, unknown>;
  expect(result, stderr).toMatchObject({
    rotations: expect.any(Number),
    requests: expect.any(Number),
    failures: 0,
    refused: expect.any(Object),
    servedLagMs: { p50: expect.any(Number), p99: expect.any(Number), max: expect.any(Number) },
    drained: expect.any(Number),
    legacy: { failedAfterMs: expect.any(Number), reason: expect.any(String) },
    caRollovers: 1,
  });
  expect(result.rotations).toBeGreaterThan(5);
  const clients = Object.values(result.clients as Record<string, { requests: number; failures: number }>);
  expect(clients.length).toBeGreaterThanOrEqual(2);
  for (const client of clients) {
    expect(client.requests).toBeGreaterThan(0);
    expect(client.failures).toBe(0);
  }
  expect(Object.values(result.refused as Record<string, number>).every((count) => count > 0)).toBe(true);
  expect(code).toBe(0);
});
