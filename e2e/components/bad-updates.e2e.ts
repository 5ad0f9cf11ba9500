// Bad updates from the outside: each is written to the certificates of a running `newleaf proxy server` with openssl and
// the shell. The last good one stays in service, the refusal is counted and shown, and the next good update heals it.
// Needs: openssl, curl.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createOpensslAuthority, type OpensslAuthority } from "../openssl-authority.ts";
import { run } from "../process.ts";
import { type RunningProxy, startProxy } from "../proxy.ts";

const box = mkdtempSync(join(tmpdir(), "newleaf-bad-updates-"));
const at = (path: string): string => join(box, path);
const server = { name: "backend", san: "DNS:localhost,IP:127.0.0.1" };
const files = ["tls.crt", "tls.key", "ca.crt"];
let authority: OpensslAuthority;
let proxy: RunningProxy;
let made = 0;

/** Makes a whole directory of files with `change` applied, ready to be put in place. */
function prepare(
  change: (directory: string) => void = () => {},
  options: Partial<Parameters<OpensslAuthority["issue"]>[1]> = {},
): string {
  const directory = at(`made-${++made}`);
  authority.issue(directory, { ...server, ...options });
  authority.emptyCrl(join(directory, "crl.pem"));
  change(directory);
  return directory;
}

/** Puts the files of `directory` in place one by one, by rename. */
function publish(directory: string): void {
  for (const file of [...files, "crl.pem"]) {
    execFileSync("cp", ["-r", join(directory, file), at(`served/.${file}`)]);
    rmSync(at(`served/${file}`), { recursive: true, force: true });
    renameSync(at(`served/.${file}`), at(`served/${file}`));
  }
}

const half = (path: string): void => writeFileSync(path, readFileSync(path).subarray(0, 200));
const twoThenHalf = (path: string): void =>
  writeFileSync(path, `${readFileSync(path, "utf8")}${readFileSync(path, "utf8").slice(0, 200)}`);

beforeAll(async () => {
  authority = createOpensslAuthority(at("authority"), "shop root");
  authority.issue(at("client"), { name: "frontend", san: "DNS:frontend.shop.svc" });
  mkdirSync(at("served"));
  publish(prepare());
  proxy = await startProxy(at("served"), ["--allow-dns", "frontend.shop.svc", "--crl", at("served/crl.pem")]);
});

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  rmSync(box, { recursive: true });
});

const rows: [row: string, codes: string[], bad: () => void][] = [
  ["torn pair", ["torn", "key_mismatch"], () => execFileSync("cp", [join(prepare(), "tls.crt"), at("served/tls.crt")])],
  ["half a PEM", ["bad_pem"], () => publish(prepare((d) => half(join(d, "tls.crt"))))],
  ["empty files", ["empty"], () => { for (const file of files) writeFileSync(at(`served/${file}`), ""); }],
  ["key mismatch", ["key_mismatch", "torn"], () => publish(prepare((d) => execFileSync("cp", [join(prepare(), "tls.key"), join(d, "tls.key")])))],
  ["garbage key", ["bad_key", "bad_pem"], () => publish(prepare((d) => writeFileSync(join(d, "tls.key"), "garbage\n")))],
  ["expired", ["expired"], () => publish(prepare(undefined, { start: "20200101000000Z", end: "20200102000000Z" }))],
  ["not yet valid", ["not_yet_valid"], () => publish(prepare(undefined, { start: "20450101000000Z", end: "20460101000000Z" }))],
  ["chain that does not verify to the bundle", ["unverified_chain"], () => publish(prepare((d) => {
    createOpensslAuthority(at(`other-${made}`), "other root").emptyCrl(join(d, "crl.pem"));
    execFileSync("cp", [at(`other-${made}/ca.crt`), join(d, "ca.crt")]);
  }))],
  ["empty bundle", ["empty", "empty_bundle"], () => publish(prepare((d) => writeFileSync(join(d, "ca.crt"), "")))],
  ["garbage bundle", ["empty_bundle", "bad_bundle"], () => publish(prepare((d) => writeFileSync(join(d, "ca.crt"), "garbage\n")))],
  ["half bundle", ["bad_bundle"], () => publish(prepare((d) => twoThenHalf(join(d, "ca.crt"))))],
  ["unreadable file", ["unreadable"], () => publish(prepare((d) => { rmSync(join(d, "tls.key")); mkdirSync(join(d, "tls.key")); }))],
  ["files deleted", ["missing"], () => { for (const file of files) rmSync(at(`served/${file}`)); }],
  ["directory gone", ["missing"], () => rmSync(at("served"), { recursive: true })],
  ["CRL missing", ["missing", "crl_missing"], () => rmSync(at("served/crl.pem"))],
  ["CRL empty", ["empty", "bad_crl"], () => writeFileSync(at("served/crl.pem"), "")],
  ["CRL expired", ["crl_expired"], () => publish(prepare((d) => execFileSync("openssl", ["ca", "-config", configured(), "-gencrl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z", "-out", join(d, "crl.pem")])))],
  ["identity changed", ["identity_changed"], () => publish(prepare(undefined, { san: "DNS:somebody-else" }))],
]; // biome-ignore format: a table

/** The last update was refused; afterwards `lastRefusal` stays for information. */
const isStale = (text: string): boolean =>
  (JSON.parse(text) as { checks: { identity: { details: { stale: boolean } } } }).checks.identity.details
    .stale;

/** The authority's openssl configuration (any of those it wrote). */
const configured = (): string =>
  execFileSync("bash", ["-c", `ls ${at("authority")}/*.cnf | head -1`], { encoding: "utf8" }).trim();

const curl = () =>
  run("curl", [
    "-sv",
    "--max-time",
    "10",
    "--cacert",
    authority.caFile,
    "--cert",
    at("client/tls.crt"),
    "--key",
    at("client/tls.key"),
    `https://localhost:${proxy.port}/`,
  ]);

test.each(rows)(
  "%s: the last good one stays, the refusal shows, the next good update heals",
  async (_row, codes, bad) => {
    const refused = (text: string): number =>
      codes.reduce(
        (sum, code) =>
          sum +
          Number(new RegExp(`newleaf_updates_refused_total\\{code="${code}"\\} (\\d+)`).exec(text)?.[1] ?? 0),
        0,
      );
    const before = refused(await proxy.admits("/metrics", () => true));
    bad();
    await proxy.admits("/metrics", (text) => refused(text) > before);
    const named = (text: string): boolean => codes.some((code) => text.includes(code));
    await proxy.admits("/readyz?verbose", (text, status) => status === 200 && isStale(text) && named(text));
    await proxy.admits("/rotations", (text) => text.includes('"refused"') && named(text));
    expect(await curl()).toMatchObject({ code: 0 });

    mkdirSync(at("served"), { recursive: true });
    const good = prepare();
    publish(good);
    const serial = execFileSync("openssl", ["x509", "-in", join(good, "tls.crt"), "-noout", "-serial"], {
      encoding: "utf8",
    })
      .trim()
      .slice(7)
      .toLowerCase();
    await proxy.admits("/rotations", (text) =>
      (JSON.parse(text) as { rotations: { serialNumber?: string; outcome: string }[] }).rotations.some(
        (rotation) => rotation.serialNumber?.replace(/^00/, "") === serial && rotation.outcome === "complete",
      ),
    );
    await proxy.admits("/readyz?verbose", (text, status) => status === 200 && !isStale(text));
  },
);

test("when the last good one expires the proxy is not ready, says why, and lives; a good one heals it", async () => {
  const end = new Date(Date.now() + 6000).toISOString().replace(/[-T:]|\.\d+/g, "");
  const start = new Date(Date.now() - 3_600_000).toISOString().replace(/[-T:]|\.\d+/g, "");
  publish(prepare(undefined, { start, end }));
  await proxy.admits("/readyz?verbose", (text, status) => status === 503 && text.includes("expired"), 20_000);
  await proxy.admits("/livez", (_text, status) => status === 200);
  publish(prepare());
  await proxy.admits("/readyz?verbose", (_text, status) => status === 200);
  expect(await curl()).toMatchObject({ code: 0 });
});
