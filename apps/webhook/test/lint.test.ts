import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { newleaf } from "./run-newleaf.ts";

/** A directory of files, given by their texts. */
function write(files: Record<string, string>) {
  const directory = mkdtempSync(join(tmpdir(), "newleaf-lint-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return { directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  template:
    spec:
      containers:
        - name: app
          volumeMounts:
            - name: tls
              mountPath: /etc/app/tls.crt
              subPath: tls.crt
      volumes:
        - name: tls
          secret: { secretName: web-tls }
`;
const late = `apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: late }
spec: { secretName: late, duration: 1h, renewBefore: 1m }
`;
const secret = `apiVersion: v1
kind: Secret
metadata: { name: web-tls, namespace: shop }
data: { tls.key: Y29uZmlkZW50aWFs }
`;

test("a finding is a place, what is wrong, and what mends it; a rule that denies is exit code 1", async () => {
  using world = write({ "web.yaml": `${secret}---\n${deployment}` });
  const result = await newleaf(["lint", `${world.directory}/web.yaml`]);
  expect(result).toEqual({
    code: 1,
    stderr: "",
    stdout: `${world.directory}/web.yaml:17:15 deny subpath Deployment shop/web
  tls.crt of Secret web-tls is mounted at /etc/app/tls.crt of app with subPath: it is never updated, so the container keeps the certificate it started with
  at   spec.template.spec.containers[0].volumeMounts[0].subPath
  mend mount volume tls whole, in a directory of its own, and name the file there
1 to deny: 2 objects in 1 file
`,
  });
});

test("warnings are exit code 0, unless --fail-on warn; --rule and NEWLEAF_LINT_RULE change severities", async () => {
  const lint = (argv: readonly string[], env = {}) =>
    newleaf(["lint", "-", ...argv], { stdin: Readable.from([late, "---\n", deployment]), env });
  expect((await lint([])).stdout).toMatch(/\n1 to deny, 1 warning: 2 objects in 1 file\n$/);
  expect((await lint(["--rule", "subpath=warn"])).code).toBe(0);
  expect((await lint(["--rule", "subpath=warn", "--fail-on", "warn"])).code).toBe(1);
  expect(await lint(["--rule", "all=off"])).toMatchObject({
    code: 0,
    stdout: "nothing found: 2 objects in 1 file\n",
  });
  expect((await lint([], { NEWLEAF_LINT_RULE: "subpath=off,certificate-margin=off" })).code).toBe(0);
  expect((await lint(["--rule", "subpath=off", "--drain", "0s", "--kubelet-sync", "1m"])).stdout).toMatch(
    /^nothing/,
  );
  expect(await lint(["--rule", "subpth=warn"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /^newleaf lint: --rule "subpth=warn" .*: is not rule=severity\nhint: rules: subpath, /,
    ),
  });
});

test("--config says the same in a file, flags win over it, and unknown options are refused", async () => {
  using world = write({
    "web.yaml": deployment,
    "newleaf.yml": "rule: [subpath=warn]\n",
    "wrong.yml": "rules: [subpath=warn]\n",
  });
  const lint = (...argv: string[]) => newleaf(["lint", `${world.directory}/web.yaml`, ...argv]);
  expect((await lint("--config", `${world.directory}/newleaf.yml`)).code).toBe(0);
  expect((await lint("--config", `${world.directory}/newleaf.yml`, "--rule", "subpath=deny")).code).toBe(1);
  expect(await lint("--config", `${world.directory}/wrong.yml`)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("unknown option rules"),
  });
});

test("a directory: YAML and JSON below it, what one file names another may make, charts are left out with a word", async () => {
  using world = write({
    "a/pod.json": JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web" },
      spec: { containers: [{ name: "app", envFrom: [{ secretRef: { name: "late" } }] }] },
    }),
    "b/late.yml": late,
    "b/readme.md": "kind: [",
    ".hidden/x.yaml": "kind: [",
    "chart/Chart.yaml": "name: chart\n",
    "chart/templates/web.yaml": "a: {{ fail }}: [",
  });
  const result = await newleaf(["lint", world.directory, "--json"]);
  expect(result.code).toBe(1);
  expect(result.stderr).toContain("Helm templates left out");
  const report = JSON.parse(result.stdout);
  expect(report.summary).toEqual({ files: 3, objects: 2, deny: 1, warn: 1 });
  expect(report.findings[0]).toEqual({
    file: `${world.directory}/a/pod.json`,
    line: 1,
    column: expect.any(Number),
    rule: "tls-env",
    severity: "deny",
    object: { apiVersion: "v1", kind: "Pod", name: "web" },
    field: "spec.containers[0].envFrom[0].secretRef",
    message: expect.stringContaining("Secret late"),
    mend: expect.stringContaining("mount Secret late"),
  });
});

test("what cannot be read is exit code 2 and named by its place, with the findings of the rest", async () => {
  using world = write({ "web.yaml": `a: [1\n---\n${deployment}` });
  const result = await newleaf(["lint", `${world.directory}/web.yaml`, `${world.directory}/none.yaml`]);
  expect(result.code).toBe(2);
  expect(result.stdout).toContain("deny subpath Deployment shop/web");
  const [first, second] = result.stderr.split("\n");
  expect(first).toMatch(/^newleaf lint: \S+\/web\.yaml:2:1 is not YAML: /);
  expect(second).toMatch(/^newleaf lint: \S+\/none\.yaml does not exist$/);
});

test("a directory with pipes, links and folders that may not be read: what can be read is", async () => {
  using world = write({ "a/web.yaml": deployment, "b/x.yaml": "", "z.yaml": "a: 1" });
  const { directory } = world;
  execFileSync("mkfifo", [`${directory}/pipe.yaml`]);
  symlinkSync("a", `${directory}/link.yaml`);
  symlinkSync("..", `${directory}/a/loop`);
  symlinkSync("nowhere", `${directory}/dangling.yaml`);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) chmodSync(`${directory}/b`, 0o000);
  const result = await newleaf(["lint", directory]);
  if (!isRoot) chmodSync(`${directory}/b`, 0o700);
  expect(result.code).toBe(2);
  expect(result.stdout).toContain("deny subpath Deployment shop/web");
  expect(result.stderr.trim().split("\n")).toEqual([
    `newleaf lint: ${directory}/dangling.yaml does not exist`,
    ...(isRoot ? [] : [`newleaf lint: ${directory}/b may not be read by this user`]),
  ]);
});

test("what is not UTF-8 is not passed as empty", async () => {
  using world = write({ "utf16.yaml": "" });
  const file = `${world.directory}/utf16.yaml`;
  writeFileSync(file, Buffer.from(`\ufeff${deployment}`, "utf16le"));
  const result = await newleaf(["lint", file]);
  expect(result.code).toBe(2);
  expect(result.stderr).toBe(`newleaf lint: ${file} is not UTF-8\n`);
});

test("SARIF: the rules, a result with its place, and what could not be read", async () => {
  using world = write({ "web.yaml": deployment, "bad.yaml": "a: [" });
  const result = await newleaf([
    "lint", `${world.directory}/web.yaml`, `${world.directory}/bad.yaml`, "--format", "sarif", "--rule", "tls-env=off",
  ]); // biome-ignore format: one command line
  const log = JSON.parse(result.stdout);
  const [run] = log.runs;
  expect(log.version).toBe("2.1.0");
  expect(run.tool.driver.rules.map(({ id }: { id: string }) => id)).toContain("shadowed-mount");
  for (const rule of run.tool.driver.rules) {
    expect(new URL(rule.helpUri).hash).toBe(`#${rule.id}`);
    expect(rule.fullDescription.text.length).toBeGreaterThan(40);
    expect(rule.defaultConfiguration.enabled).toBe(rule.id !== "tls-env");
  }
  expect(run.results).toHaveLength(1);
  expect(run.results[0]).toMatchObject({
    ruleId: "subpath",
    ruleIndex: 0,
    level: "error",
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: `file://${world.directory}/web.yaml` },
          region: { startLine: 12, startColumn: 15 },
        },
      },
    ],
  });
  expect(run.invocations[0]).toMatchObject({
    executionSuccessful: false,
    toolExecutionNotifications: [{ level: "error" }],
  });
});

test("no data of a Secret is ever written", async () => {
  using world = write({ "web.yaml": `${secret}---\n${deployment}` });
  for (const format of ["text", "json", "sarif"]) {
    const { stdout, stderr } = await newleaf(["lint", world.directory, "--format", format]);
    expect(stdout).toContain("web-tls");
    expect(stdout + stderr).not.toContain("Y29uZmlkZW50aWFs");
  }
});

test("names with control characters do not reach the terminal; colours when asked for", async () => {
  const stdin = () => Readable.from([deployment.replace("name: web,", 'name: "w\\e[31meb",')]);
  expect((await newleaf(["lint", "-"], { stdin: stdin() })).stdout).not.toContain("\u001b");
  const coloured = await newleaf(["lint", "-"], { stdin: stdin(), env: { FORCE_COLOR: "1" } });
  expect(coloured.stdout).toContain("\u001b[31mdeny\u001b[39m");
});

test("--list-rules, with the severities that hold; no files is a mistake", async () => {
  const list = await newleaf(["lint", "--list-rules", "--rule", "all=off", "--rule", "subpath=warn"]);
  expect(list.stdout).toMatch(/^subpath +warn {2}a TLS Secret.*\ntls-env +off /);
  const { rules } = JSON.parse((await newleaf(["lint", "--list-rules", "--json"])).stdout);
  expect(rules).toHaveLength(10);
  expect(await newleaf(["lint"])).toMatchObject({ code: 2, stderr: expect.stringContaining("no files") });
  expect((await newleaf(["lint", "-", "--json", "--format", "sarif"])).code).toBe(2);
});

test("more than can be meant is refused", async () => {
  async function* endless() {
    for (;;) yield Buffer.alloc(1_048_576, "#");
  }
  const result = await newleaf(["lint", "-"], { stdin: Readable.from(endless()) });
  expect(result).toMatchObject({
    code: 2,
    stderr: "newleaf lint: standard input is larger than 33554432 bytes\n",
  });
});
