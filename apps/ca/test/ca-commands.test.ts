import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { watchFiles } from "@newleaf/rotation";
import { parseCertificates, parseCrls } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createOutput, newleaf } from "./run-newleaf.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

async function authority() {
  const directory = createTemporaryDirectory();
  const ca = directory.file("ca");
  const created = await newleaf(["ca", "init", ca, "--json"]);
  expect(created).toMatchObject({ code: 0, stderr: "" });
  return {
    ca,
    path: directory.path,
    file: directory.file,
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
const leafOf = (directory: string) => parseCertificates(readFileSync(join(directory, "tls.crt")))[0];
const jsonOf = (finished: { stdout: string }) => JSON.parse(finished.stdout);

test("init creates a root, a key only this user can read, and an empty revocation list", async () => {
  using directory = createTemporaryDirectory();
  const ca = directory.file("ca");
  const result = await newleaf(["ca", "init", ca, "--name", "shop, dev root", "--duration", "30d"]);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  expect(result.stdout).toMatch(/^created shop, dev root\n {2}expires {4}in 30 days \(\d{4}-/);
  expect([
    mode(ca),
    mode(join(ca, "ca.key")),
    mode(join(ca, "ca.crt")),
    mode(join(ca, "index.json")),
  ]).toEqual(["700", "600", "644", "600"]);
  const [root] = parseCertificates(readFileSync(join(ca, "ca.crt")));
  expect(root?.subject.commonName).toBe("shop, dev root");
  expect(parseCrls(readFileSync(join(ca, "crl.pem")))[0]?.revokedCount).toBe(0);
  expect(readFileSync(join(ca, ".gitignore"), "utf8")).toBe("*\n");
});

test("init does not overwrite an authority unless forced, and --dry-run changes nothing", async () => {
  using world = await authority();
  const before = readFileSync(join(world.ca, "ca.crt"), "utf8");
  const refused = await newleaf(["ca", "init", world.ca]);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(
    /^newleaf ca init: .* already holds an authority; nothing was changed\nhint: .*--force/,
  );
  expect(readFileSync(join(world.ca, "ca.crt"), "utf8")).toBe(before);
  const dry = await newleaf(["ca", "init", world.file("other"), "--dry-run"]);
  expect(dry.stdout).toMatch(/^would create CN=newleaf development root in /);
  expect(existsSync(world.file("other"))).toBe(false);
  expect((await newleaf(["ca", "init", world.ca, "--force"])).code).toBe(0);
  expect(readFileSync(join(world.ca, "ca.crt"), "utf8")).not.toBe(before);
});

test("issue writes what a rotating server takes as it is", async () => {
  using world = await authority();
  const out = world.file("certs");
  const result = await newleaf([
    ...["ca", "issue", "backend", "--ca", world.ca, "--out", out, "--duration", "1h"],
    ...[
      "--dns",
      "backend.shop.svc",
      "--uri",
      "spiffe://shop/backend",
      "--ip",
      "10.0.0.1",
      "--cn",
      "the backend",
    ],
  ]);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  expect(result.stdout).toContain("names    spiffe://shop/backend, backend.shop.svc, 10.0.0.1\n");
  expect(result.stdout).not.toContain("PRIVATE");
  expect(readlinkSync(join(out, "tls.crt"))).toBe("..data/tls.crt");
  expect([mode(join(out, "tls.key")), mode(join(out, "tls.crt"))]).toEqual(["600", "644"]);
  expect(leafOf(out)?.subject.commonName).toBe("the backend");
  await using source = await watchFiles({ directory: out });
  expect(source.current().identity).toBe("spiffe://shop/backend");
});

test("without names a certificate is for the name itself and for this machine; usage can be narrowed", async () => {
  using world = await authority();
  const { issued } = jsonOf(
    await newleaf(["ca", "issue", "backend", "--ca", world.ca, "--client", "--json"]),
  );
  expect(issued).toMatchObject({
    name: "backend",
    dnsNames: ["backend", "localhost"],
    ips: ["127.0.0.1", "::1"],
    usage: "client",
    directory: join(world.ca, "issued", "backend"),
    layout: "atomic",
  });
  expect(leafOf(issued.directory)).toMatchObject({
    serialNumber: issued.serialNumber,
    sha256: issued.sha256,
    extendedKeyUsage: ["1.3.6.1.5.5.7.3.2"],
  });
});

test("a plain layout has ordinary files and stays plain when renewed", async () => {
  using world = await authority();
  const out = world.file("plain");
  await newleaf(["ca", "issue", "a", "--ca", world.ca, "--out", out, "--layout", "plain"]);
  await newleaf(["ca", "renew", "a", "--ca", world.ca]);
  expect(readdirSync(out).sort()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
  expect(lstatSync(join(out, "tls.crt")).isFile()).toBe(true);
  expect(mode(join(out, "tls.key"))).toBe("600");
});

test("issue refuses to replace a certificate that is valid, or files that are there", async () => {
  using world = await authority();
  const issue = ["ca", "issue", "a", "--ca", world.ca];
  await newleaf(issue);
  expect(await newleaf(issue)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("hint: renew it with newleaf ca renew a"),
  });
  mkdirSync(world.file("there"));
  writeFileSync(world.file("there/tls.crt"), "someone else's");
  const elsewhere = ["ca", "issue", "b", "--ca", world.ca, "--out", world.file("there")];
  expect(await newleaf(elsewhere)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("already holds a certificate"),
  });
  expect(readFileSync(world.file("there/tls.crt"), "utf8")).toBe("someone else's");
  expect((await newleaf([...elsewhere, "--dry-run", "--force"])).stdout).toMatch(/^would issue b /);
  expect(readFileSync(world.file("there/tls.crt"), "utf8")).toBe("someone else's");
  expect((await newleaf([...elsewhere, "--force"])).code).toBe(0);
  expect(leafOf(world.file("there"))?.subject.commonName).toBe("b");
});

test("issue never writes into the directory of an authority, not even when forced", async () => {
  using world = await authority();
  const before = readFileSync(join(world.ca, "ca.crt"), "utf8");
  for (const more of [[], ["--force"], ["--dry-run"]]) {
    const result = await newleaf(["ca", "issue", "a", "--ca", world.ca, "--out", world.ca, ...more]);
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toMatch(/ is the directory of an authority; nothing was issued\nhint: .*--out\n$/);
  }
  expect(lstatSync(join(world.ca, "ca.crt")).isFile()).toBe(true);
  expect(readFileSync(join(world.ca, "ca.crt"), "utf8")).toBe(before);
  expect(readdirSync(world.ca).sort()).toEqual([".gitignore", "ca.crt", "ca.key", "crl.pem", "index.json"]);
});

test.each([
  [["--dns", "not a name"], "--dns"],
  [["--ip", "10.0.0.256"], "--ip"],
  [["--uri", "no-scheme"], "--uri"],
  [["--duration", "0s"], "--duration"],
  [["--algorithm", "rsa-512"], "--algorithm"],
])("%j is bad usage", async (argv, option) => {
  const result = await newleaf(["ca", "issue", "a", ...argv]);
  expect(result).toMatchObject({ code: 2, stdout: "" });
  expect(result.stderr).toContain(`newleaf ca issue: ${option}`);
  expect(result.stderr).toMatch(/\nhint: .*\n$/);
});

test("a name that cannot be a directory's is bad usage", async () => {
  for (const name of ["a b", "../a", "a.", "-"]) {
    const { code, stderr } = await newleaf(["ca", "issue", "--", name]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^newleaf ca issue: name ".*": is not a name\nhint: use up to 128 .*\n$/);
  }
});

test("without an authority every command says how to get one", async () => {
  using directory = createTemporaryDirectory();
  const ca = directory.file("none");
  for (const argv of [["issue", "a"], ["renew", "a"], ["revoke", "a"], ["list"], ["crl"]]) {
    const result = await newleaf(["ca", ...argv, "--ca", ca]);
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toMatch(/no authority in .*: .* is missing\nhint: create one with newleaf ca init/);
  }
  expect((await newleaf(["ca", "list"], { env: { NEWLEAF_CA_DIRECTORY: ca } })).stderr).toContain(ca);
});

test("a damaged authority issues nothing", async () => {
  using world = await authority();
  using other = await authority();
  writeFileSync(join(world.ca, "ca.key"), readFileSync(join(other.ca, "ca.key")));
  expect((await newleaf(["ca", "issue", "a", "--ca", world.ca])).stderr).toContain(
    "is not the key of ca.crt; nothing was issued",
  );
  writeFileSync(join(other.ca, "index.json"), "{}");
  expect((await newleaf(["ca", "list", "--ca", other.ca])).stderr).toContain(
    "is not an index that this version wrote",
  );
});

test("renew issues the same names with a new key, or the old key when asked", async () => {
  using world = await authority();
  const out = world.file("certs");
  await newleaf([
    "ca",
    "issue",
    "a",
    "--ca",
    world.ca,
    "--out",
    out,
    "--dns",
    "a.example",
    "--duration",
    "1h",
  ]);
  const [first, key] = [leafOf(out), readFileSync(join(out, "tls.key"), "utf8")];
  expect((await newleaf(["ca", "renew", "a", "--ca", world.ca])).stdout).toMatch(/^renewed a\n/);
  const second = leafOf(out);
  expect(second?.serialNumber).not.toBe(first?.serialNumber);
  expect(second?.subjectAltNames).toEqual(first?.subjectAltNames);
  expect(second?.subjectKeyIdentifier).not.toBe(first?.subjectKeyIdentifier);
  const kept = readFileSync(join(out, "tls.key"), "utf8");
  expect(kept).not.toBe(key);
  await newleaf(["ca", "renew", out, "--ca", world.ca, "--reuse-key", "--duration", "2h"]);
  expect(readFileSync(join(out, "tls.key"), "utf8")).toBe(kept);
  const third = leafOf(out);
  expect((third?.notAfter.getTime() ?? 0) - (third?.notBefore.getTime() ?? 0)).toBe(7_260_000);
  expect(readdirSync(out).filter((name) => name.startsWith("..2"))).toHaveLength(1);
});

test("renew by a directory that is not its own is refused with a hint", async () => {
  using world = await authority();
  const result = await newleaf(["ca", "renew", world.path, "--ca", world.ca]);
  expect(result).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/is no identity that .* issued\nhint: newleaf ca list/),
  });
});

test("renew --every goes on until it is stopped, and a watcher sees each generation whole", async () => {
  using world = await authority();
  const out = world.file("certs");
  await newleaf(["ca", "issue", "a", "--ca", world.ca, "--out", out]);
  await using source = await watchFiles({ directory: out });
  const stop = new AbortController();
  const stdout = createOutput();
  const running = newleaf(["ca", "renew", "a", "--ca", world.ca, "--every", "30ms", "--duration", "1h"], {
    signal: stop.signal,
    stdout,
  });
  for await (const generation of source.watch(AbortSignal.timeout(20_000))) if (generation.number >= 5) break;
  stop.abort();
  expect((await running).code).toBe(0);
  expect(source.status().refusals).toEqual({});
  expect(stdout.text().match(/^renewed a$/gm)?.length).toBeGreaterThanOrEqual(4);
});

test("revoke by name lists every valid certificate of it; by serial number only that one", async () => {
  using world = await authority();
  const crl = () => parseCrls(readFileSync(join(world.ca, "crl.pem")))[0];
  const serial = (finished: { stdout: string }, verb: string) =>
    jsonOf(finished)[verb].serialNumber as string;
  const issued = await newleaf(["ca", "issue", "a", "--ca", world.ca, "--json"]);
  const renewed = await newleaf(["ca", "renew", "a", "--ca", world.ca, "--json"]);
  const other = await newleaf(["ca", "issue", "b", "--ca", world.ca, "--json"]);
  const copy = world.file("copy.pem");

  const one = serial(issued, "issued");
  const colons = one.toUpperCase().replaceAll(/(..)(?!$)/g, "$1:");
  const result = await newleaf(["ca", "revoke", colons, "--ca", world.ca, "--copy-to", copy, "--json"]);
  expect(jsonOf(result)).toMatchObject({ revoked: [one], crl: { number: 2, revokedCount: 1 } });
  expect(readFileSync(copy, "utf8")).toBe(readFileSync(join(world.ca, "crl.pem"), "utf8"));
  expect(crl()?.isRevoked(serial(renewed, "renewed"))).toBeUndefined();

  expect((await newleaf(["ca", "revoke", "a", "--ca", world.ca, "--reason", "keyCompromise"])).code).toBe(0);
  expect(crl()?.isRevoked(serial(renewed, "renewed"))?.reason).toBe("keyCompromise");
  expect(crl()?.isRevoked(serial(other, "issued"))).toBeUndefined();
  expect(crl()?.revokedCount).toBe(2);

  expect((await newleaf(["ca", "revoke", "a", "--ca", world.ca])).stderr).toContain(
    "is revoked already; nothing was changed",
  );
  expect((await newleaf(["ca", "revoke", "zzz", "--ca", world.ca])).stderr).toContain(
    "hint: newleaf ca list",
  );
  expect((await newleaf(["ca", "renew", "a", "--ca", world.ca])).stderr).toContain("was revoked at");
  const statuses = jsonOf(await newleaf(["ca", "list", "--ca", world.ca, "--json"])).certificates;
  expect(statuses.map((row: { name: string; status: string }) => [row.name, row.status])).toEqual([
    ["a", "revoked"],
    ["a", "revoked"],
    ["b", "valid"],
  ]);
});

test("nothing is revoked while --copy-to names what cannot be written to", async () => {
  using world = await authority();
  await newleaf(["ca", "issue", "a", "--ca", world.ca]);
  const before = readFileSync(join(world.ca, "crl.pem"), "utf8");
  for (const command of [["revoke", "a"], ["crl"]]) {
    const target = world.file("absent/crl.pem");
    const refused = await newleaf(["ca", ...command, "--ca", world.ca, "--copy-to", target]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(
      /absent does not exist, so --copy-to .* would fail; nothing was changed\nhint: create/,
    );
  }
  expect(readFileSync(join(world.ca, "crl.pem"), "utf8")).toBe(before);
  const { certificates } = jsonOf(await newleaf(["ca", "list", "--ca", world.ca, "--json"]));
  expect(certificates[0].status).toBe("valid");
});

test("a copy that fails after all leaves the revocation standing, says so, and the others are made", async () => {
  using world = await authority();
  await newleaf(["ca", "issue", "a", "--ca", world.ca]);
  const [bad, good] = [world.file("bad"), world.file("good.pem")];
  mkdirSync(join(bad, "crl.pem", "in the way"), { recursive: true });
  const result = await newleaf([
    ...["ca", "revoke", "a", "--ca", world.ca, "--json"],
    ...["--copy-to", bad, "--copy-to", good],
  ]);
  expect(result.code).toBe(1);
  expect(result.stderr).toContain(`not copied to ${bad}: `);
  expect(result.stderr).toContain(
    `; what was revoked stays so, see ${join(world.ca, "crl.pem")}\nhint: copy`,
  );
  expect(jsonOf(result).crl).toMatchObject({
    revokedCount: 1,
    files: [join(world.ca, "crl.pem"), good],
  });
  for (const list of [join(world.ca, "crl.pem"), good]) {
    expect(parseCrls(readFileSync(list))[0]?.revokedCount).toBe(1);
  }
});

test("a list copied into an atomic volume is swapped with it and survives a renewal", async () => {
  using world = await authority();
  const out = world.file("certs");
  await newleaf(["ca", "issue", "a", "--ca", world.ca, "--out", out]);
  await newleaf(["ca", "crl", "--ca", world.ca, "--copy-to", out]);
  expect(readlinkSync(join(out, "crl.pem"))).toBe("..data/crl.pem");
  await newleaf(["ca", "renew", "a", "--ca", world.ca]);
  expect(parseCrls(readFileSync(join(out, "crl.pem")))).toHaveLength(1);
});

test("of several that create an authority at once in one place, one does", async () => {
  using directory = createTemporaryDirectory();
  const ca = directory.file("ca");
  const results = await Promise.all([1, 2, 3].map(() => newleaf(["ca", "init", ca])));
  expect(results.map(({ code }) => code).sort()).toEqual([0, 1, 1]);
});

test("what cannot be published is not remembered as issued", async () => {
  using world = await authority();
  const file = world.file("file");
  writeFileSync(file, "");
  expect((await newleaf(["ca", "issue", "a", "--ca", world.ca, "--out", file])).code).toBe(1);
  expect(await newleaf(["ca", "issue", "a", "--ca", world.ca])).toMatchObject({ code: 0 });
});

test("commands that run at once lose nothing of each other", async () => {
  using world = await authority();
  const names = Array.from({ length: 12 }, (_, index) => `n${index}`);
  const results = await Promise.all(names.map((name) => newleaf(["ca", "issue", name, "--ca", world.ca])));
  expect(results.map(({ code }) => code)).toEqual(names.map(() => 0));
  const { certificates } = jsonOf(await newleaf(["ca", "list", "--ca", world.ca, "--json"]));
  expect(certificates).toHaveLength(12);
  expect(existsSync(join(world.ca, "lock"))).toBe(false);
});

test("the lock of a process that is gone is taken over", async () => {
  using world = await authority();
  const gone = execFileSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" }).trim();
  writeFileSync(join(world.ca, "lock"), gone);
  expect((await newleaf(["ca", "issue", "a", "--ca", world.ca])).code).toBe(0);
});

test("no certificate outlives its authority", async () => {
  using directory = createTemporaryDirectory();
  const ca = directory.file("ca");
  await newleaf(["ca", "init", ca, "--duration", "1h"]);
  const result = await newleaf(["ca", "issue", "a", "--ca", ca, "--duration", "24h", "--json"]);
  const [root] = parseCertificates(readFileSync(join(ca, "ca.crt")));
  expect(jsonOf(result).issued.notAfter).toBe(root?.notAfter.toISOString());
  expect(result.stderr).toContain("it ends with its authority");
});
