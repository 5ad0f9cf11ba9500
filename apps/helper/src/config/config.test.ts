import fc from "fast-check";
import { expect, test } from "vitest";
import { HelperError } from "../error.ts";
import { parseHcl } from "../hcl/parse.ts";
import { splitCommandArguments } from "./cmd-args.ts";
import { type HelperConfig, type ResolveOptions, resolveConfig } from "./config.ts";
import { collectConfig, type Overrides } from "./given-config.ts";
import { blockKeyNames, scalarKeyNames } from "./keys.ts";

const svid = `svid_file_name = "svid.pem"\nsvid_key_file_name = "key.pem"\nsvid_bundle_file_name = "bundle.pem"\n`;

interface With extends Partial<ResolveOptions> {
  readonly overrides?: Overrides;
}

function read(text: string, options: With = {}): HelperConfig {
  const { overrides = {}, ...rest } = options;
  return resolveConfig(collectConfig("helper.conf", parseHcl(text, "helper.conf"), overrides), {
    env: {},
    ...rest,
  });
}

function refusal(text: string, options: With = {}): HelperError {
  try {
    read(text, options);
  } catch (error) {
    if (error instanceof HelperError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

test("option agent_address: a socket path or address; from SPIFFE_ENDPOINT_SOCKET, else /tmp/spire-agent/public/api.sock", () => {
  expect(read(svid).agentAddress).toBe("unix:///tmp/spire-agent/public/api.sock");
  expect(read(`${svid}agent_address = "/run/a.sock"`).agentAddress).toBe("unix:///run/a.sock");
  expect(read(`${svid}agent_address = "unix:/run/a.sock"`).agentAddress).toBe("unix:///run/a.sock");
  expect(read(`${svid}agent_address = "tcp://127.0.0.1:8081"`).agentAddress).toBe("tcp://127.0.0.1:8081");
  const env = { SPIFFE_ENDPOINT_SOCKET: "unix:///run/b.sock" };
  expect(read(svid, { env }).agentAddress).toBe("unix:///run/b.sock");
  expect(read(`${svid}agent_address = "/run/a.sock"`, { env }).agentAddress).toBe("unix:///run/a.sock");
  for (const wrong of ["tcp://agent:80", "tcp://127.0.0.1", "unix:relative", "http://127.0.0.1:80"]) {
    expect(refusal(`${svid}agent_address = "${wrong}"`).message).toMatch(/^helper.conf:4:1: agent_address/);
  }
});

test("defect: the spec-form variable unix:///path is taken as it is, not as unix://unix:///path", () => {
  const env = { SPIFFE_ENDPOINT_SOCKET: "unix:///run/spire/agent.sock" };
  expect(read(svid, { env }).agentAddress).toBe("unix:///run/spire/agent.sock");
});

test("environment SPIRE_AGENT_ADDRESS: taken alone, an error beside SPIFFE_ENDPOINT_SOCKET", () => {
  expect(read(svid, { env: { SPIRE_AGENT_ADDRESS: "/run/old.sock" } }).agentAddress).toBe(
    "unix:///run/old.sock",
  );
  const env = { SPIRE_AGENT_ADDRESS: "/a", SPIFFE_ENDPOINT_SOCKET: "unix:///b" };
  expect(refusal(svid, { env }).message).toBe("both SPIRE_AGENT_ADDRESS and SPIFFE_ENDPOINT_SOCKET are set");
  expect(read(`${svid}agent_address = "/c"`, { env }).agentAddress).toBe("unix:///c");
});

test("option cert_dir: the working directory unless given", () => {
  expect(read(svid).files.directory).toBe(".");
  expect(read(`${svid}cert_dir = "/certs"`).files.directory).toBe("/certs");
});

test("options svid_file_name, svid_key_file_name, svid_bundle_file_name: all three or none", () => {
  expect(read(svid).files.svid).toEqual({ certificates: "svid.pem", key: "key.pem", bundle: "bundle.pem" });
  expect(read(`jwt_bundle_file_name = "b.json"`).files.svid).toBeUndefined();
  const all = svid.split("\n");
  for (const missing of [0, 1, 2]) {
    const text = `jwt_bundle_file_name = "b.json"\n${all.filter((_, index) => index !== missing).join("\n")}`;
    expect(refusal(text).message).toMatch(/^all or none of svid_file_name/);
  }
  expect(refusal("").message).toBe("nothing is to be written");
  expect(refusal(`${svid}jwt_bundle_file_name = "svid.pem"`).message).toMatch(/two different files/);
  expect(refusal(`${svid}jwt_bundle_file_name = "./svid.pem"`).message).toMatch(/two different files/);
  expect(refusal(`${svid}jwt_bundle_file_name = "../b.json"`).message).toMatch(/no file inside cert_dir/);
});

test("options cert_file_mode and key_file_mode: 0644 and 0600 unless given, octal or decimal, quoted or not", () => {
  expect(read(svid).files.modes).toMatchObject({ cert: 0o644, key: 0o600 });
  const given = `${svid}cert_file_mode = 0444\nkey_file_mode = "0640"`;
  expect(read(given).files.modes).toMatchObject({ cert: 0o444, key: 0o640 });
  expect(read(`${svid}cert_file_mode = 420`).files.modes.cert).toBe(0o644);
  expect(read(`${svid}cert_file_mode = 0`).files.modes.cert).toBe(0o644);
  expect(refusal(`${svid}cert_file_mode = -1`).message).toMatch(/must be positive/);
  expect(refusal(`${svid}cert_file_mode = "rw-r--r--"`).message).toMatch(/no whole number/);
  expect(refusal(`${svid}cert_file_mode = 01000000`).message).toMatch(/no file mode/);
});

test("a mode that is likely meant in octal, and a key for everyone, are warned of", () => {
  expect(read(`${svid}cert_file_mode = 644`).warnings).toEqual([
    "helper.conf:4:1: cert_file_mode 644 is decimal, which is 01204 in octal; 0644 may be meant",
  ]);
  expect(read(`${svid}key_file_mode = 0644`).warnings[0]).toMatch(/lets every user/);
});

test("option jwt_svids[]: jwt_audience, jwt_extra_audiences, jwt_svid_file_name", () => {
  const list = `jwt_svids = [ { jwt_audience = "a", jwt_extra_audiences = ["b", "c"], jwt_svid_file_name = "a.token" },
    { jwt_audience = "d" jwt_svid_file_name = "d.token" } ]`;
  expect(read(list).jwtSvids).toEqual([
    { audiences: ["a", "b", "c"], fileName: "a.token" },
    { audiences: ["d"], fileName: "d.token" },
  ]);
  const blocks = `jwt_svids { jwt_audience = "a" jwt_svid_file_name = "a" }\njwt_svids { jwt_audience = "b" jwt_svid_file_name = "b" }`;
  expect(read(blocks).jwtSvids.map(({ fileName }) => fileName)).toEqual(["a", "b"]);
  expect(refusal(`jwt_svids = [{ jwt_audience = "a" }]`).message).toMatch(
    /jwt_svid_file_name is required in jwt_svids\[0\]/,
  );
  expect(refusal(`jwt_svids = [{ jwt_svid_file_name = "a" }]`).message).toMatch(/jwt_audience is required/);
});

test("options jwt_bundle_file_name, jwt_bundle_file_mode, jwt_svid_file_mode: 0600 unless given", () => {
  const { files } = read(`jwt_bundle_file_name = "bundle.json"`);
  expect(files).toMatchObject({ jwtBundle: "bundle.json", modes: { jwtBundle: 0o600, jwtSvid: 0o600 } });
  const given = `jwt_bundle_file_name = "b"\njwt_bundle_file_mode = 0444\njwt_svid_file_mode = 0440`;
  expect(read(given).files.modes).toMatchObject({ jwtBundle: 0o444, jwtSvid: 0o440 });
});

test("options add_intermediates_to_bundle, include_federated_domains, omit_expired: false unless given", () => {
  const off = { addIntermediatesToBundle: false, includeFederatedDomains: false, omitExpired: false };
  expect(read(svid).files).toMatchObject(off);
  const given = `${svid}add_intermediates_to_bundle = true\ninclude_federated_domains = "true"\nomit_expired = 1`;
  expect(read(given).files).toMatchObject({
    addIntermediatesToBundle: true,
    includeFederatedDomains: true,
    omitExpired: true,
  });
});

test("option hint: empty unless given", () => {
  expect(read(svid).hint).toBe("");
  expect(read(`${svid}hint = "internal"`).hint).toBe("internal");
});

test('options cmd and cmd_args: CSV with a space for the comma and "" for a quote', () => {
  const args = (text: string) => read(`${svid}cmd = "x"\ncmd_args = "${text}"`).command?.arguments;
  expect(read(svid).command).toBeUndefined();
  expect(read(`${svid}cmd = "envoy"`).command).toMatchObject({
    program: "envoy",
    arguments: [],
    restart: "on-failure",
  });
  expect(args("-c /etc/x --log debug")).toEqual(["-c", "/etc/x", "--log", "debug"]);
  expect(args(String.raw`-c \"two words\" \"say \"\"hi\"\"\"`)).toEqual(["-c", "two words", 'say "hi"']);
  expect(args("a  b ")).toEqual(["a", "", "b", ""]);
  expect(args("")).toEqual([]);
  expect(refusal(`${svid}cmd = "x"\ncmd_args = "a\\"b"`).message).toMatch(/quote inside the bare word/);
  expect(refusal(`${svid}cmd = "x"\ncmd_args = "\\"a"`).message).toMatch(/not closed/);
});

test("option pid_file_name: needs renew_signal, and is an error in one-shot mode", () => {
  expect(read(`${svid}pid_file_name = "/run/x.pid"\nrenew_signal = "SIGHUP"`)).toMatchObject({
    pidFile: "/run/x.pid",
    renewSignal: "SIGHUP",
  });
  expect(refusal(`${svid}pid_file_name = "/run/x.pid"`).message).toBe(
    "helper.conf:4:1: pid_file_name needs renew_signal",
  );
  const oneShot = `${svid}pid_file_name = "/run/x.pid"\nrenew_signal = "SIGHUP"\ndaemon_mode = false`;
  expect(refusal(oneShot).message).toMatch(/daemon_mode=false/);
});

test("option renew_signal: the full name of a signal", () => {
  expect(read(`${svid}renew_signal = "SIGUSR1"`).renewSignal).toBe("SIGUSR1");
  const wrong = refusal(`${svid}renew_signal = "HUP"`);
  expect(wrong.message).toBe('helper.conf:4:1: renew_signal "HUP" is no signal');
  expect(wrong.hint).toBe("write SIGHUP");
});

test("option daemon_mode: true unless given; the flag wins over the file", () => {
  expect(read(svid).daemonMode).toBe(true);
  expect(read(`${svid}daemon_mode = false`).daemonMode).toBe(false);
  expect(read(`${svid}daemon_mode = false`, { overrides: { daemon_mode: "true" } }).daemonMode).toBe(true);
});

test("option health_checks: off unless enabled, port 8081, /live and /ready", () => {
  expect(read(svid).healthChecks).toBeUndefined();
  expect(read(`${svid}health_checks { listener_enabled = false }`).healthChecks).toBeUndefined();
  expect(read(`${svid}health_checks { listener_enabled = true }`).healthChecks).toEqual({
    port: 8081,
    livenessPath: "/live",
    readinessPath: "/ready",
  });
  const given = `${svid}health_checks { listener_enabled = true\nbind_port = "8090" liveness_path = "/l" readiness_path = "/r" }`;
  expect(read(given).healthChecks).toEqual({ port: 8090, livenessPath: "/l", readinessPath: "/r" });
  expect(read(`${svid}health_checks { bind_prot = 1 }`).warnings[0]).toMatch(/no key bind_prot/);
  expect(refusal(`${svid}health_checks { bind_port = 99999 }`).message).toMatch(/no port/);
});

test("legacy camelCase keys of 0.7 and 0.8", () => {
  const config =
    read(`agentAddress = "/run/a.sock"\ncmd = "x"\ncmdArgs = "a b"\ncertDir = "/c"\nrenewSignal = "SIGHUP"
    addIntermediatesToBundle = true\nsvidFileName = "s"\nsvidKeyFileName = "k"\nsvidBundleFileName = "b"`);
  expect(config).toMatchObject({
    agentAddress: "unix:///run/a.sock",
    command: { program: "x", arguments: ["a", "b"] },
    files: {
      directory: "/c",
      addIntermediatesToBundle: true,
      svid: { certificates: "s", key: "k", bundle: "b" },
    },
    renewSignal: "SIGHUP",
  });
  expect(config.warnings).toHaveLength(8);
});

test("HCL1 parity: keys in any case, the last of duplicates, unknown keys fatal at top level and in jwt_svids[i]", () => {
  expect(read(`${svid}CERT_DIR = "/a"\ncert_dir = "/b"`).files.directory).toBe("/b");
  const unknown = refusal(`${svid}cert_dri = "/a"`);
  expect(unknown.message).toBe("helper.conf:4:1: unknown key cert_dri at top level");
  expect(unknown.hint).toBe("did you mean cert_dir?");
  expect(refusal(`jwt_svids = [{ jwt_audiences = "a" }]`).message).toMatch(
    /unknown key jwt_audiences in jwt_svids\[0\]/,
  );
});

test("HCL1 parity: JSON", () => {
  const config = read(`{"svid_file_name": "s", "svid_key_file_name": "k", "svid_bundle_file_name": "b",
    "cert_file_mode": 292, "daemon_mode": false, "jwt_svids": [{"jwt_audience": "a", "jwt_svid_file_name": "f"}],
    "reload": {"db": {"kind": "postgres", "data_dir": "/data"}}}`);
  expect(config).toMatchObject({
    daemonMode: false,
    jwtSvids: [{ audiences: ["a"] }],
    reloads: [{ name: "db" }],
  });
  expect(config.files.modes.cert).toBe(0o444);
});

test("issues #223 and #199: every key from the environment, which wins over the file", () => {
  const overrides = {
    cert_dir: "/env",
    cert_file_mode: "0440",
    omit_expired: "true",
    cmd: "x",
    cmd_args: "a b",
  };
  const config = read(`${svid}cert_dir = "/file"`, { overrides });
  expect(config).toMatchObject({
    files: { directory: "/env", omitExpired: true },
    command: { arguments: ["a", "b"] },
  });
  expect(config.files.modes.cert).toBe(0o440);
  const parts = {
    jwt_svids: `[{"jwt_audience": "a", "jwt_svid_file_name": "f"}]`,
    health_checks: "{ listener_enabled = true }",
    reload: `reload "nginx" { }\nreload "other" { kind = "exec" command = ["true"] }`,
  };
  const blocks = read("", { overrides: parts });
  expect(blocks.jwtSvids).toEqual([{ audiences: ["a"], fileName: "f" }]);
  expect(blocks.healthChecks?.port).toBe(8081);
  expect(blocks.reloads.map(({ name }) => name)).toEqual(["nginx", "other"]);
  expect(refusal(svid, { overrides: { cert_file_mode: "rw" } }).message).toMatch(
    /^--cert-file-mode or NEWLEAF_HELPER_CERT_FILE_MODE:/,
  );
});

test("issue #440: log_level", () => {
  expect(read(svid).logLevel).toBeUndefined();
  expect(read(`${svid}log_level = "debug"`).logLevel).toBe("debug");
  expect(refusal(`${svid}log_level = "inof"`).hint).toBe("did you mean info?");
});

test("issue #183: file_owner", () => {
  expect(read(`${svid}file_owner = "999:1000"`).files.owner).toEqual({ uid: 999, gid: 1000 });
  expect(refusal(`${svid}file_owner = "postgres"`).message).toMatch(/uid:gid/);
});

test("SPIFFE Filesystem Delivery: layout gives the names of the draft", () => {
  expect(read(`layout = "filesystem-delivery"`).files).toMatchObject({
    credential: "credential-bundle.private-key.pem",
    trustDomainBundle: "{trust_domain}.spiffe-trust-bundle.pem",
  });
  expect(refusal(`trust_domain_bundle_file_name = "x.pem"`).message).toMatch(/must hold \{trust_domain\}/);
});

test("reload blocks of each kind", () => {
  const text = `${svid}
    reload "envoy" { kind = "signal" pid_file = "/run/envoy.pid" signal = "SIGUSR1" }
    reload "app" { kind = "exec" command = ["ctl", "reload"] timeout = "5s" }
    reload "admin" { kind = "http" url = "http://127.0.0.1:9901/reload" }
    reload "db" { kind = "postgres" dsn_file = "/etc/dsn" password_file = "/etc/pw"
      verify { address = "127.0.0.1:5432" server_name = "db" timeout = "20s" } }
    reload "postgres" { data_dir = "/var/lib/postgresql/data/" }
    reload "nginx" { test = ["nginx", "-t"] verify { address = "127.0.0.1:443" } }`;
  const actions = read(text).reloads.map(({ action }) => action);
  expect(actions).toEqual([
    { kind: "signal", process: { pidFile: "/run/envoy.pid" }, signal: "SIGUSR1" },
    { kind: "exec", command: ["ctl", "reload"] },
    { kind: "http", url: "http://127.0.0.1:9901/reload", method: "POST" },
    { kind: "postgres", dsn: { file: "/etc/dsn" }, password: { file: "/etc/pw" } },
    { kind: "signal", process: { pidFile: "/var/lib/postgresql/data/postmaster.pid" }, signal: "SIGHUP" },
    { kind: "nginx", pidFile: "/run/nginx.pid", test: ["nginx", "-t"] },
  ]);
  const [, app, , db, , nginx] = read(text).reloads;
  expect(app?.timeoutMs).toBe(5_000);
  expect(db?.verify).toMatchObject({ serverName: "db", timeoutMs: 20_000, target: { protocol: "postgres" } });
  expect(nginx?.verify?.target.name).toBe("tls://127.0.0.1:443");
});

test.each([
  ['reload "x" { }', /has no kind/],
  ['reload "nginx" { url = "http://x" }', /of kind nginx, which has no url/],
  ['reload "nginx" { }\nreload "nginx" { }', /two blocks of the name nginx/],
  ["reload { kind = 1 }", /has a label/],
  ['reload "exec" { }', /needs command/],
  ['reload "postgres" { }', /needs dsn/],
  ['reload "watch" { }', /has no verify/],
  ['reload "nginx" { verify { } }', /needs an address/],
  ['reload "signal" { pid = 0 }', /^helper.conf:4:19: pid 0 is no process/],
  [
    'reload "http" { url = "http://u:secret1@127.0.0.1/reload" }',
    /^(?!.*secret1).* url holds a user or password/,
  ],
  ['reload "nginx" { verify { address = "ftp://x" } }', /is not one of/],
  ['reload "nginx" { verify { adress = "x:1" } }', /unknown key adress in verify/],
])("%s is refused", (block, message) => {
  expect(refusal(svid + block).message).toMatch(message);
});

test("a command behind -- is wrapped: it restarts only when told to, and excludes cmd and one-shot mode", () => {
  const wrapped = ["envoy", "-c", "a b"];
  expect(read(svid, { wrapped }).command).toEqual({
    program: "envoy",
    arguments: ["-c", "a b"],
    restart: "no",
    wrapped: true,
  });
  expect(read(`${svid}restart = "always"`, { wrapped }).command?.restart).toBe("always");
  expect(refusal(`${svid}cmd = "x"`, { wrapped }).message).toMatch(/only one/);
  expect(refusal(`${svid}daemon_mode = false`, { wrapped }).message).toMatch(/daemon_mode=false/);
});

test("whatever stands in the file, it is a configuration or an ERR_HELPER_CONFIG", () => {
  const scalar = fc.oneof(
    fc.string().map((text) => JSON.stringify(text)),
    fc.constantFrom("true", "0644", "-1", "0", '""', '"SIGHUP"', '"/x"', '"a b"', '"files"', '"5s"', "1.5"),
  );
  const key = fc.constantFrom(...scalarKeyNames, ...blockKeyNames, "certDir", "nothing");
  const value = fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 2 }).map((items) => `[${items.join(", ")}]`),
    fc.constantFrom(
      "{}",
      '{ listener_enabled = true bind_port = "x" }',
      '[{ jwt_audience = "a" jwt_svid_file_name = 1 }]',
      '{ nginx { verify { address = "x" } } }',
    ),
  );
  const line = fc.tuple(key, value).map(([name, text]) => `${name} = ${text}`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
      try {
        return read(svid + lines.join("\n")).warnings.every((warning) => typeof warning === "string");
      } catch (error) {
        return error instanceof HelperError && error.code === "ERR_HELPER_CONFIG";
      }
    }),
    { numRuns: 1_000 },
  );
});

test("cmd_args: what is quoted word by word is split into the same words", () => {
  const word = fc.string({ minLength: 1 }).filter((text) => !/[\r\n]/.test(text));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), (words) => {
      const line = words.map((text) => `"${text.replaceAll('"', '""')}"`).join(" ");
      expect(splitCommandArguments(line, "here")).toEqual(words);
    }),
  );
});
