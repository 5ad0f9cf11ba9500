// The real spiffe-helper and `newleaf helper` side by side on the agent of a real SPIRE, over the option table: the same
// files to the byte, with the same modes, the same signals, health answers and exit codes. Needs: spire, spiffe-helper.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../bench/peers/peer.ts";
import { component } from "../component.ts";
import { createRivals, type HelperRun, published, type Rival } from "../helper/rival.ts";
import { childScript, endProcess, startTarget } from "../helper/signal-target.ts";
import { createOpensslAuthority } from "../openssl-authority.ts";
import { type Spire, startSpire } from "../spire.ts";
import { until } from "../until.ts";

const spireProgram = component("NEWLEAF_SPIRE");
const helperProgram = component("NEWLEAF_SPIFFE_HELPER");
const absent = spireProgram === undefined || helperProgram === undefined;

const x509 = [
  'svid_file_name = "svid.pem"',
  'svid_key_file_name = "svid_key.pem"',
  'svid_bundle_file_name = "svid_bundle.pem"',
];
const x509Files = ["svid.pem", "svid_key.pem", "svid_bundle.pem"];
const jwtBundle = ['jwt_bundle_file_name = "jwt_bundle.json"'];
const jwtSvids = [
  'jwt_svids = [{jwt_audience="shop", jwt_svid_file_name="shop.token"}, ' +
    '{jwt_audience="bank", jwt_extra_audiences=["audit","desk"], jwt_svid_file_name="bank.token"}]',
];

/** Options of the file beside the address and the folder, and the names of what must then be there. */
interface FilesCase {
  readonly name: string;
  readonly lines: readonly string[];
  readonly files: readonly string[];
  /** How the file is written, if not as these lines. */
  readonly write?: (lines: readonly string[]) => readonly string[];
}

const table: readonly FilesCase[] = [
  { name: "the three files", lines: x509, files: x509Files },
  {
    name: "octal modes",
    lines: [...x509, "cert_file_mode = 0640", "key_file_mode = 0440"],
    files: x509Files,
  },
  {
    name: "decimal modes",
    lines: [...x509, "cert_file_mode = 416", "key_file_mode = 384"],
    files: x509Files,
  },
  { name: "quoted modes", lines: [...x509, 'cert_file_mode = "0600"'], files: x509Files },
  {
    name: "intermediates in the bundle",
    lines: [...x509, "add_intermediates_to_bundle = true"],
    files: x509Files,
  },
  { name: "federated trust domains", lines: [...x509, "include_federated_domains = true"], files: x509Files },
  {
    name: "both of these",
    lines: [...x509, "include_federated_domains = true", "add_intermediates_to_bundle = true"],
    files: x509Files,
  },
  { name: "expired ones left out", lines: [...x509, "omit_expired = true"], files: x509Files },
  { name: "a hint", lines: [...x509, 'hint = "second"'], files: x509Files },
  { name: "JWT bundles", lines: jwtBundle, files: ["jwt_bundle.json"] },
  { name: "JWT SVIDs", lines: jwtSvids, files: ["shop.token", "bank.token"] },
  {
    name: "everything, with modes",
    lines: [...x509, ...jwtBundle, ...jwtSvids, "jwt_bundle_file_mode = 0644", "jwt_svid_file_mode = 0640"],
    files: [...x509Files, "jwt_bundle.json", "shop.token", "bank.token"],
  },
  {
    name: "keys in capitals",
    lines: x509,
    files: x509Files,
    write: (lines) => lines.map((line) => line.replace(/^\w+/, (key) => key.toUpperCase())),
  },
  {
    name: "comments, blank lines and a key given twice",
    lines: x509,
    files: x509Files,
    write: (lines) => ["# first", "", ...lines, "// second", x509[0] ?? "", "/* third", "*/"],
  },
  {
    name: "a file of JSON",
    lines: [...x509, "add_intermediates_to_bundle = true"],
    files: x509Files,
    write: (lines) => [`{${lines.map((line) => line.replace(/^(\w+) =/, '"$1":')).join(",\n")}}`],
  },
];

describe.skipIf(absent)("newleaf helper beside spiffe-helper (needs: spire, spiffe-helper)", () => {
  const box = mkdtempSync(join(tmpdir(), "newleaf-parity-"));
  let spire: Spire;
  let theirs: Rival;
  let ours: Rival;
  let renew: () => Promise<void>;
  const common = (): string[] => [`agent_address = "${spire.socketPath}"`, 'cert_dir = "@CERTS@"'];

  beforeAll(async () => {
    const upstream = createOpensslAuthority(join(box, "upstream"), "upstream root");
    const keyFile = join(upstream.directory, "ca.key");
    spire = await startSpire({
      program: spireProgram!,
      upstream: { certificateFile: upstream.caFile, keyFile },
    });
    for (const name of ["zebra.example", "apple.example"]) {
      await using foreign = await startSpire({ program: spireProgram!, trustDomain: name });
      await spire.setBundle(name, await foreign.bundle());
    }
    const federatesWith = ["zebra.example", "apple.example"];
    const ttl = 3600;
    const first = { spiffeId: "spiffe://example.org/first", ttl, federatesWith, hint: "first" };
    const id = await spire.entries.create(first);
    // Of the identity that is written alone: spiffe-helper signals for the others too.
    renew = () => spire.entries.update(id, first);
    await spire.entries.create({
      spiffeId: "spiffe://example.org/second",
      ttl,
      federatesWith,
      hint: "second",
    });
    ({ theirs, ours } = createRivals(helperProgram!, box));
  });

  afterAll(async () => {
    await spire?.[Symbol.asyncDispose]();
    rmSync(box, { recursive: true });
  });

  const complete = (
    { rival, directory, process: { lines } }: HelperRun,
    files: readonly string[],
  ): Promise<boolean> =>
    until(`${files.join()} of ${rival}`, () =>
      files.every((file) => (published(directory)[file]?.content.length ?? 0) > 0),
    ).catch((error) => {
      throw new Error(`${error}\n${lines.slice(-10).join("\n")}`);
    });

  describe("files", () => {
    for (const { name, lines, files, write = asLines } of table) {
      test(name, async () => {
        await using reference = theirs.start(write([...common(), ...lines]));
        await using candidate = ours.start(write([...common(), ...lines]));
        for (const rival of [reference, candidate]) await complete(rival, files);
        expect(Object.keys(published(candidate.directory)).sort()).toEqual([...files].sort());
        // Each pushes on its own, so one may be an update ahead for a moment.
        await until(
          "equal files",
          () =>
            JSON.stringify(published(candidate.directory)) === JSON.stringify(published(reference.directory)),
          5000,
        ).catch(() => {});
        expect(published(candidate.directory)).toEqual(published(reference.directory));
      });
    }

    test("once and done", async () => {
      for (const rival of [theirs, ours]) {
        await using once = rival.start([...common(), ...x509, ...jwtBundle], ["-daemon-mode=false"]);
        expect(await once.process.exit(20_000), rival.name).toBe(0);
        await complete(once, [...x509Files, "jwt_bundle.json"]);
      }
    });
  });

  describe("signals", () => {
    test("a command is started with its arguments, and signalled at each update", async () => {
      const script = join(box, "child.sh");
      writeFileSync(script, childScript);
      const lines = [
        ...common(),
        ...x509,
        'cmd = "bash"',
        `cmd_args = "${script} @CERTS@/../child.log one \\"two three\\""`,
        'renew_signal = "SIGHUP"',
      ];
      const logOf = ({ directory }: HelperRun): string[] => {
        const file = join(directory, "../child.log");
        return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
      };
      await using reference = theirs.start(lines);
      await using candidate = ours.start(lines);
      const both = [reference, candidate];
      try {
        await until("two commands", () => both.every((rival) => logOf(rival).length === 1));
        for (const length of [2, 3, 4]) {
          await renew();
          await until(`signal ${length - 1}`, () => both.every((rival) => logOf(rival).length >= length));
        }
        expect(logOf(candidate)).toEqual(logOf(reference));
        expect(logOf(candidate)).toEqual(["<one><two three>", "renewed", "renewed", "renewed"]);
      } finally {
        // spiffe-helper leaves its command running.
        for (const { directory } of both) endProcess(join(directory, "../child.log.pid"));
      }
    });

    test("a process named by a pid file is signalled at the first write and at each update", async () => {
      await using target = startTarget(box, "target");
      const lines = (signal: string): string[] => [
        ...common(),
        ...x509,
        `pid_file_name = "${target.pidFile}"`,
        `renew_signal = "${signal}"`,
      ];
      await target.ready();
      await using _reference = theirs.start(lines("SIGUSR1"));
      await using _candidate = ours.start(lines("SIGUSR2"));
      for (const times of [1, 2, 3]) {
        await until(
          `${times} signals of both`,
          () => target.count("USR1") >= times && target.count("USR2") >= times,
        );
        expect([target.count("USR1"), target.count("USR2")]).toEqual([times, times]);
        if (times < 3) await renew();
      }
    });
  });

  test("health answers", async () => {
    const answers: unknown[] = [];
    for (const rival of [theirs, ours]) {
      const port = await freePort();
      const lines = [
        ...common(),
        ...x509,
        ...jwtBundle,
        `health_checks { listener_enabled = true\n bind_port = ${port}\n liveness_path = "/alive"\n readiness_path = "/set" }`,
      ];
      await using running = rival.start(lines);
      await complete(running, [...x509Files, "jwt_bundle.json"]);
      const ask = async (path: string): Promise<unknown> => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`);
        const text = (await response.text()).replaceAll(running.directory, "@CERTS@");
        return { path, status: response.status, body: response.status === 404 ? "" : JSON.parse(text) };
      };
      await until("readiness", async () => ((await ask("/set")) as { status: number }).status === 200);
      answers.push([await ask("/set"), await ask("/alive"), await ask("/other")]);
    }
    expect(answers[1]).toEqual(answers[0]);
  });

  describe("exit codes", () => {
    const cases: readonly [string, readonly string[], (readonly string[])?][] = [
      ["-version", ["-version"]],
      ["-help", ["-help"]],
      ["an unknown flag", ["-nonsense"]],
      ["a missing file", ["-config", "missing.conf"]],
      ["an unknown key", [], [...x509, 'nonsense = "1"']],
      ["two of the three names", [], x509.slice(0, 2)],
      ["a pid file without a signal", [], [...x509, 'pid_file_name = "x.pid"']],
      [
        "a pid file in one-shot mode",
        ["-daemon-mode=false"],
        [...x509, 'pid_file_name = "x"', 'renew_signal = "SIGHUP"'],
      ],
      ["a JWT SVID without a file", [], ['jwt_svids = [{jwt_audience="shop"}]']],
      ["an unknown key of a JWT SVID", [], [(jwtSvids[0] ?? "").replace("jwt_audience", "nonsense")]],
      ["a mode that is no number", [], [...x509, 'cert_file_mode = "rw"']],
      ["a negative mode", [], [...x509, "cert_file_mode = -1"]],
      ["no HCL at all", [], ["{{{"]],
      ["nothing to write", [], []],
    ];
    for (const [name, args, lines] of cases) {
      test(name, async () => {
        const config = lines && [...common().slice(0, 1), ...lines];
        expect(await ours.exitCode(args, config)).toBe(await theirs.exitCode(args, config));
      });
    }
  });
});

function asLines(lines: readonly string[]): readonly string[] {
  return lines;
}
