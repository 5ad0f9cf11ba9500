import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeCertificates } from "@newleaf/x509";
import { expect, test } from "vitest";
import { clientNames, startMtlsServer } from "./mtls-server.ts";
import { run } from "./run-command.ts";

test("probe prints a line a request and a summary, and exits 0", async () => {
  await using server = await startMtlsServer();
  const certs = server.clientVolume.directory;
  const result = await run(["probe", server.url, "--certs", certs, "--every", "20ms", "--for", "200ms"]);
  expect(result.code).toBe(0);
  expect(result.stdout).toMatch(/^\d{4}-.*Z SUCCESS 200 [\d.]+ms serial=\w{12} server=\w{12}\n/);
  expect(result.stdout).toMatch(/\nrequests \d+, failures 0, rotations seen: ours 0, the server's 0, in /);
});

test("probe --json prints an object a line, the summary last", async () => {
  await using server = await startMtlsServer();
  const certs = server.clientVolume.directory;
  const result = await run([
    "probe",
    server.url,
    "--certs",
    certs,
    "--every",
    "20ms",
    "--for",
    "100ms",
    "--json",
  ]);
  const lines = result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string });
  expect(lines[0]).toMatchObject({ type: "success", status: 200 });
  expect(lines.at(-1)).toMatchObject({ type: "summary", failures: 0 });
  expect(result.stdout).toMatch(/"durationMs":\d+\.\d/);
  expect(result.stdout).not.toMatch(/\d\.\d{4}/);
});

test("more failures than allowed: exit 1, reasons in the summary", async () => {
  await using server = await startMtlsServer({ status: () => 500 });
  const certs = server.clientVolume.directory;
  const probe = (...args: string[]) =>
    run(["probe", server.url, "--certs", certs, "--every", "50ms", "--for", "120ms", ...args]);
  const strict = await probe();
  expect(strict.code).toBe(1);
  expect(strict.stdout).toContain("FAILURE http_500");
  expect(strict.stdout).toContain("  http_500: ");
  expect((await probe("--max-failures", "100")).code).toBe(0);
});

test("interrupted, it sums up and exits by what it saw", async () => {
  await using server = await startMtlsServer();
  const certs = server.clientVolume.directory;
  const signal = AbortSignal.timeout(300);
  const result = await run(["probe", server.url, "--certs", certs, "--every", "20ms"], { signal });
  expect(result.code).toBe(0);
  expect(result.stdout).toContain("failures 0");
});

test("--rogue against our own server: the whole matrix is refused", async () => {
  await using server = await startMtlsServer({ crl: (authority) => authority.crlPem() });
  const { directory, authority } = server;
  const ca = join(directory, "ca");
  const revoked = authority.issue({ ...clientNames, defect: "revoked" });
  await mkdir(ca);
  await mkdir(join(directory, "revoked"));
  await writeFile(join(ca, "ca.crt"), encodeCertificates([authority.root.certificate]));
  await writeFile(join(ca, "ca.key"), authority.root.key.export({ type: "pkcs8", format: "pem" }));
  await writeFile(join(directory, "revoked", "tls.crt"), revoked.chainPem);
  await writeFile(join(directory, "revoked", "tls.key"), revoked.keyPem);
  await server.volume.write({
    ...authority.issue({ dnsNames: ["localhost"], uris: ["spiffe://shop/backend"] }).files(),
    "crl.pem": authority.crlPem(),
  });
  await server.rotation.whenServed(2, AbortSignal.timeout(10_000));
  const args = [
    "--certs",
    server.clientVolume.directory,
    "--ca",
    ca,
    "--revoked",
    join(directory, "revoked"),
  ];
  const result = await run(["probe", server.url, "--rogue", ...args, "--json"]);
  const { ok, results } = JSON.parse(result.stdout) as {
    ok: boolean;
    results: { row: string; verdict: string }[];
  };
  expect(results.filter(({ verdict }) => verdict !== "refused")).toEqual([
    expect.objectContaining({ row: "control", verdict: "served" }),
  ]);
  expect([ok, result.code]).toEqual([true, 0]);
  const codes = Object.keys(server.rotation.stats().rejections);
  expect(codes).toEqual(
    expect.arrayContaining([
      "no_certificate",
      "unknown_authority",
      "expired",
      "not_yet_valid",
      "wrong_usage",
      "not_allowed",
      "ca_as_leaf",
      "revoked",
      "unsupported_protocol",
      "plain_http",
      "not_tls",
      "handshake_timeout",
    ]),
  );
});

test("--rogue says what it could not try", async () => {
  await using server = await startMtlsServer();
  const result = await run(["probe", server.url, "--rogue"]);
  expect(result.code).toBe(0);
  expect(result.stdout).toMatch(/expired +skipped +needs --ca/);
  expect(result.stdout).toMatch(/revoked +skipped +needs --revoked/);
  expect(result.stdout).toMatch(/no_certificate +refused +alert certificate required/);
});

test.each([
  [["probe"], "missing required argument"],
  [["probe", "http://x"], "is not an https URL"],
  [["probe", "https://x"], "--certs is required"],
  [["probe", "https://x", "--certs", "d", "--concurrency", "0"], "is less than 1"],
  [["probe", "https://x", "--certs", "d", "--max-failures", "few"], "is not a whole number"],
  [["probe", "https://x", "--certs", "d", "--expect-dns", "*"], "is not a DNS name"],
])("%j: exit 2, one line and a hint", async (argv, message) => {
  const { code, stdout, stderr } = await run(argv as string[]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^newleaf .*\nhint: .*\n$/);
  expect(stderr).toContain(message);
});

test.each(["ftp://x", "localhost:0", "localhost", "https://", ":8443", "unix:relative"])(
  "verify %s: exit 2, one line and a hint",
  async (target) => {
    const { code, stdout, stderr } = await run(["verify", "localhost:1", target]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^newleaf verify: target .* is not one of .*\nhint: .*\n$/);
    expect(stderr).toContain(JSON.stringify(target));
  },
);
