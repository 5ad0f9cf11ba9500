import { lstatSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { createAtomicVolume, createTestAuthority } from "@newleaf/testing";
import { expect, onTestFinished, test } from "vitest";
import { createOutput, run } from "./run-command.ts";
import { connectSds, inlineText, secretsOf } from "./sds-client.ts";

const unix = ["sds", "--listen", "unix:/nowhere/sds.sock"];

test.each<[string[], string, string]>([
  [["sds"], "--listen is required", ""],
  [unix, "there is nothing to serve", "--identity NAME=DIR"],
  [[...unix, "--identity", "/etc/tls"], "is not NAME=PATH", "web=/etc/tls"],
  [[...unix, "--identity", "ROOTCA=/etc/tls"], "cannot be a name", ""],
  [[...unix, "--identity", "a=/x", "--identity", "a=/y"], "a is given twice", ""],
  [[...unix, "--identity", "a=/x", "--identity", "a-ca=/y"], "validation context of a", ""],
  [[...unix, "--identity", "a=/x", "--crl", "b=/y"], "no identity b", ""],
  [[...unix, "--identity", "a=/x", "--match-san", "b-ca=dns:x"], "no validation context b-ca", "NAME-ca"],
  [[...unix, "--identity", "a=/x", "--match-san", "a-ca=spiffe"], "cannot be read", "ROOTCA=uri:"],
  [
    [...unix, "--identity", "a=/x", "--match-san", "a-ca=uri-prefix:spiffe://a/b"],
    "end with a slash",
    "spiffe://a/b/",
  ],
  [[...unix, "--identity", "a=/x", "--match-san", "a-ca=dns-suffix:svc"], "begin with a dot", ".svc"],
  [[...unix, "--identity", "a=/x", "--allow-any"], "are for TCP", "--socket-mode"],
  [[...unix, "--identity", "a=/x", "--socket-mode", "rw"], "octal file mode", ""],
  [["sds", "--listen", "unix:sds.sock", "--identity", "a=/x"], "not an absolute path", "unix:/PATH"],
  [[...unix, "--workload-api", "/run/api.sock"], "is not of the form", "unix:///PATH"],
  [["sds", "--listen", ":0", "--identity", "a=/x"], "nobody would be let in", "--allow-any"],
  [
    ["sds", "--listen", ":0", "--identity", "a=/x", "--identity", "b=/y", "--allow-any"],
    "--listen-identity",
    "a, b",
  ],
])("%j", async (argv, message, hint) => {
  const result = await run([...argv, "--admin", "off"]);
  expect(result.stderr).toContain(message);
  expect(result.stderr).toContain(hint);
  expect(result.stderr).not.toContain("    at ");
  expect(result.code).toBe(2);
});

async function startProgram(argv: readonly string[]) {
  const stop = new AbortController();
  const stderr = createOutput();
  const running = run(["sds", ...argv, "--admin", "127.0.0.1:0", "--log-level", "debug"], {
    stderr,
    signal: stop.signal,
  });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  const line = (message: string) =>
    stderr
      .text()
      .split("\n")
      .filter(Boolean)
      .map((each) => JSON.parse(each) as Record<string, never>)
      .find(({ msg }) => msg === message);
  await expect
    .poll(() => line("admin listening") ?? stderr.text(), { timeout: 10_000 })
    .toHaveProperty("url");
  const admin = String(line("admin listening")?.url);
  return {
    stop: async () => {
      stop.abort();
      return await running;
    },
    line,
    ask: async (path: string) => {
      const response = await fetch(`${admin}${path}`);
      return { status: response.status, text: await response.text() };
    },
  };
}

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "newleaf-sds-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const node = { id: "envoy-1" };

test("serves before there is an identity, sends it when it comes, records what Envoy says, and leaves nothing", async () => {
  const folder = await temporary();
  const authority = createTestAuthority();
  await using volume = await createAtomicVolume(join(folder, "tls"));
  const path = join(folder, "sds.sock");
  const program = await startProgram([
    "--listen", `unix:${path}`, "--identity", `web=${volume.directory}`, "--match-san", "web-ca=dns:frontend.shop.svc",
    "--ack-timeout", "500ms", "--socket-mode", "0660",
  ]); // biome-ignore format: one command line
  expect((lstatSync(path).mode & 0o777).toString(8)).toBe("660");
  await expect
    .poll(async () => await program.ask("/readyz?verbose"))
    .toMatchObject({
      status: 503,
      text: expect.stringContaining("tls.crt"),
    });
  expect(JSON.parse((await program.ask("/rotations")).text)).toMatchObject({
    identities: [{ source: "web" }],
  });

  using client = connectSds(`unix:${path}`);
  const stream = client.sotw();
  stream.send({ node, resourceNames: ["web", "web-ca"] } as object);
  await volume.write(authority.issue({ dnsNames: ["web"] }).files());
  const first = await stream.next();
  const context = secretsOf(first).get("web-ca")?.type;
  expect(context).toMatchObject({
    case: "validationContext",
    value: {
      matchTypedSubjectAltNames: [
        { matcher: { matchPattern: { case: "exact", value: "frontend.shop.svc" } } },
      ],
    },
  });
  const acknowledge = (nonce: string) =>
    stream.send({ resourceNames: ["web", "web-ca"], responseNonce: nonce });
  acknowledge(first.nonce);
  await expect.poll(async () => (await program.ask("/rotations")).text).toContain('"outcome": "complete"');

  const next = authority.issue({ dnsNames: ["web"] });
  await volume.write(next.files());
  const second = await stream.next();
  expect([...secretsOf(second).keys()]).toEqual(["web"]);
  stream.send({
    resourceNames: ["web", "web-ca"],
    responseNonce: second.nonce,
    errorDetail: { code: 13, message: "Failed to load certificate chain" },
  } as object);
  const stalled = await expect.poll(async () => (await program.ask("/rotations")).text, { timeout: 5_000 });
  await stalled.toContain("envoy: Envoy envoy-1 refused web: Failed to load certificate chain");
  const verbose = await program.ask("/readyz?verbose");
  expect(verbose.status).toBe(200);
  expect(verbose.text).toContain("Failed to load certificate chain");
  const metrics = (await program.ask("/metrics")).text;
  expect(metrics).toContain('newleaf_sds_refused{secret="web"} 1');
  expect(metrics).toContain('newleaf_sds_answers_total{protocol="sotw",answer="nack"} 1');
  expect(metrics).toContain("newleaf_sds_encodings_total 3");
  expect(metrics).toContain('newleaf_sds_streams{protocol="sotw"} 1');
  expect(metrics).toContain('newleaf_rotations_total{source="web",outcome="stalled"} 1');
  const secrets = (await program.ask("/secrets")).text;
  expect(JSON.parse(secrets)).toMatchObject({
    secrets: [{ name: "web", subscribed: 1, refused: 1 }, { name: "web-ca" }],
  });

  await volume.write(authority.issue({ dnsNames: ["web"] }).files());
  const third = await stream.next();
  acknowledge(third.nonce);
  await expect
    .poll(async () => JSON.parse((await program.ask("/rotations")).text).identities[0].rotations[0])
    .toMatchObject({ generation: 3, outcome: "complete" });
  const finished = await program.stop();
  expect(finished.code).toBe(0);
  expect(await stream.ended).toMatchObject({ code: 14 });
  expect(() => lstatSync(path)).toThrow("ENOENT");
  for (const text of [verbose.text, metrics, secrets]) expect(text).not.toMatch(/PRIVATE|BEGIN/);
});

test("over TCP: Envoys with an allowed name get secrets, others are refused, and the listener rotates too", async () => {
  const folder = await temporary();
  const authority = createTestAuthority();
  await using volume = await createAtomicVolume(join(folder, "tls"));
  await volume.write(authority.issue({ dnsNames: ["sds", "localhost"] }).files());
  const program = await startProgram([
    "--listen", "127.0.0.1:0", "--identity", `web=${volume.directory}`, "--allow-dns", "envoy.shop.svc",
  ]); // biome-ignore format: one command line
  await expect.poll(() => program.line("ready")).toBeDefined();
  const target = `localhost:${String(program.line("ready")?.listen).split(":")[1]}`;
  const channelOf = (name: string) => {
    const { keyPem, chainPem } = authority.issue({ dnsNames: [name] });
    return credentials.createSsl(Buffer.from(authority.trustPem), Buffer.from(keyPem), Buffer.from(chainPem));
  };
  using client = connectSds(target, channelOf("envoy.shop.svc"));
  const stream = client.delta();
  stream.send({ node, resourceNamesSubscribe: ["web"] } as object);
  const first = await stream.next();
  const secret = secretsOf(first).get("web")?.type;
  if (secret?.case !== "tlsCertificate") throw new Error("no certificate");
  expect(inlineText(secret.value.certificateChain)).toContain("BEGIN CERTIFICATE");
  stream.send({ responseNonce: first.nonce });
  expect(program.line("stream began")).toMatchObject({ node: "envoy-1", peer: /DNS:envoy\.shop\.svc/ });

  using stranger = connectSds(target, channelOf("stranger"));
  await expect(stranger.fetch({ resourceNames: ["web"] })).rejects.toMatchObject({ code: 14 });
  await expect
    .poll(async () => (await program.ask("/metrics")).text)
    .toContain('newleaf_rejections_total{code="not_allowed"}');

  await volume.write(authority.issue({ dnsNames: ["sds", "localhost"] }).files());
  const second = await stream.next();
  stream.send({ responseNonce: second.nonce });
  await expect
    .poll(async () => JSON.parse((await program.ask("/rotations")).text).identities[0].rotations[0])
    .toMatchObject({
      generation: 2,
      stages: { served: expect.anything() },
      consumers: [{ name: "envoy" }, { name: "listener" }],
    });
  expect((await program.stop()).code).toBe(0);
});

test("a place where somebody answers, or that is a file, too long or missing, is refused with the reason", async () => {
  const folder = await temporary();
  const path = join(folder, "sds.sock");
  const argv = ["sds", "--listen", `unix:${path}`, "--identity", `web=${folder}`, "--admin", "off"];
  await writeFile(path, "");
  expect((await run(argv)).stderr).toContain("a file that is no socket");
  await rm(path);
  const other = createServer().listen(path);
  await new Promise((resolve) => other.once("listening", resolve));
  const refused = await run(argv);
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining("another process answers there"),
  ]);
  await new Promise((resolve) => other.close(resolve));
  const long = await run([
    "sds",
    "--listen",
    `unix:/${"x".repeat(120)}`,
    "--identity",
    "a=/x",
    "--admin",
    "off",
  ]);
  expect(long.stderr).toContain("longer than 107 octets");
  const missing = await run([
    "sds",
    "--listen",
    "unix:/nowhere/sds.sock",
    "--identity",
    "a=/x",
    "--admin",
    "off",
  ]);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("the directory must exist")]);
});
