// The real Envoy with all its secrets from `newleaf sds`, both as server and as client, a full handshake for every
// request: rotations under load, secrets that come late, refusals in Envoy's words, restarts, and the end of a
// federation; and under a real SPIRE, whose authority rolls over. Needs: Envoy, spire.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { verifyServed, watchFiles } from "@newleaf/rotation";
import {
  type AtomicVolume,
  createAtomicVolume,
  createSpiffeAuthority,
  createTestAuthority,
  startWorkloadApi,
  type TestIssueOptions,
} from "@newleaf/testing";
import { expect, onTestFinished, test } from "vitest";
import { component } from "../component.ts";
import { type RunningEnvoy, startEnvoy } from "../envoy.ts";
import { type RunningProcess, startNewleaf } from "../process.ts";
import { startSpire } from "../spire.ts";

const absent = component("NEWLEAF_ENVOY") === undefined;
const rotations = 50;
/** TLS feature status_request (RFC 7633). */
const mustStaple = { oid: "1.3.6.1.5.5.7.1.24", critical: false, value: Buffer.from("3003020105", "hex") };

interface Program {
  readonly process: RunningProcess;
  /** Polls an admin path until `accept` holds. */
  until(path: string, accept: (text: string) => boolean, timeoutMs?: number): Promise<string>;
  /** The records of an identity, newest first. */
  records(source: string): Promise<readonly Record_[]>;
}

interface Record_ {
  readonly generation: number;
  readonly outcome: string;
  readonly reason?: { readonly message: string };
  readonly stages: { readonly delivered: string; readonly served?: string };
}

function box(): string {
  const folder = mkdtempSync(join(tmpdir(), "newleaf-sds-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function late<T extends AsyncDisposable>(running: T): T {
  onTestFinished(() => running[Symbol.asyncDispose]());
  return running;
}

async function startProgram(sds: string, args: readonly string[]): Promise<Program> {
  const process = late(
    startNewleaf([
      "sds",
      "--listen",
      `unix:${sds}`,
      "--admin",
      "127.0.0.1:0",
      "--ack-timeout",
      "5s",
      ...args,
    ]),
  );
  const { url } = JSON.parse(await process.line(/"admin listening"/)) as { url: string };
  const ask = async (path: string) => (await fetch(`${url}${path}`)).text();
  return {
    process,
    async until(path, accept, timeoutMs = 15_000) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const text = await ask(path);
        if (accept(text)) return text;
        if (Date.now() > deadline) throw new Error(`${path} is still ${text}`);
        await sleep(20);
      }
    },
    async records(source) {
      const { identities } = JSON.parse(await ask("/rotations")) as {
        identities: { source: string; rotations: Record_[] }[];
      };
      return identities.find((each) => each.source === source)?.rotations ?? [];
    },
  };
}

async function ask(envoy: RunningEnvoy): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${envoy.plainPort}/`, {
    signal: AbortSignal.timeout(10_000),
  });
  return `${response.status} ${(await response.text()).trim()}`;
}

async function untilAnswer(envoy: RunningEnvoy, wanted: RegExp, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask(envoy).catch((error) => String(error));
    if (wanted.test(answer)) return;
    if (Date.now() > deadline)
      throw new Error(`still ${answer}: ${envoy.process.lines.slice(-10).join("\n")}`);
    await sleep(50);
  }
}

/** Asks until stopped; every answer that is not the right one is kept. */
function startLoad(
  envoy: RunningEnvoy,
  workers: number,
): { stop(): Promise<{ requests: number; failures: string[] }> } {
  const tally = { requests: 0, failures: [] as string[] };
  let running = true;
  const work = async (): Promise<void> => {
    while (running) {
      const answer = await ask(envoy).catch((error) => String(error));
      tally.requests += 1;
      if (answer !== "200 hello") tally.failures.push(answer);
    }
  };
  const loops = Promise.all(Array.from({ length: workers }, work));
  return {
    async stop() {
      running = false;
      await loops;
      return tally;
    },
  };
}

test.skipIf(absent).for(["GRPC", "DELTA_GRPC"] as const)(
  `Envoy over %s: ${rotations} rotations of both sides under load, late secrets, a refusal, a restart`,
  { timeout: 120_000 },
  async (protocol, context) => {
    const directory = box();
    const sds = join(directory, "sds.sock");
    const authority = createTestAuthority();
    const volumes = new Map<string, AtomicVolume>();
    for (const name of ["server", "client", "later"]) {
      volumes.set(name, await createAtomicVolume(join(directory, name)));
    }
    const names = { server: "backend.shop.svc", client: "frontend.shop.svc", later: "later.shop.svc" };
    const rotate = async (name: keyof typeof names, options: TestIssueOptions = {}): Promise<string> => {
      const identity = authority.issue({ dnsNames: [names[name]], ...options });
      await volumes.get(name)?.write(identity.files());
      return identity.certificate.sha256;
    };
    await Promise.all([rotate("server"), rotate("client")]);
    const args = [...volumes].flatMap(([name, volume]) => ["--identity", `${name}=${volume.directory}`]);
    const matchers = [
      "--match-san",
      `server-ca=dns:${names.client}`,
      "--match-san",
      `client-ca=dns:${names.server}`,
    ];
    let program = await startProgram(sds, [...args, ...matchers]);
    const envoy = late(
      await startEnvoy({
        directory,
        sds,
        protocol,
        downstream: { certificate: "server", context: "server-ca" },
        upstream: { certificate: "client", context: "client-ca" },
        // Of the first there is nothing yet, of the second there never will be.
        others: [
          { certificate: "later", context: "later-ca" },
          { certificate: "never", context: "never-ca" },
        ],
      }),
    );
    await untilAnswer(envoy, /^200 hello$/);

    const load = startLoad(envoy, 3);
    const times: number[] = [];
    for (let round = 0; round < rotations; round += 1) {
      const side = round % 2 === 0 ? "server" : "client";
      await rotate(side);
      const generation = 2 + Math.floor(round / 2);
      await program.until("/rotations", (text) => {
        const { identities } = JSON.parse(text) as {
          identities: { source: string; status?: { served?: number } }[];
        };
        return identities.find(({ source }) => source === side)?.status?.served === generation;
      });
      const [record] = await program.records(side);
      times.push(Date.parse(record?.stages.served ?? "") - Date.parse(record?.stages.delivered ?? ""));
    }

    // What Envoy shows is what was delivered last, and the client's side has rotated as often.
    const probe = late(await watchFiles({ directory: join(directory, "client"), persistent: false }));
    const expected = late(await watchFiles({ directory: join(directory, "server"), persistent: false }));
    const served = () =>
      verifyServed(`tls://127.0.0.1:${envoy.tlsPort}`, expected.current(), { client: probe.current() });
    await expect.poll(async () => (await served()).verdict).toBe("equal");
    expect(await envoy.stat("sds.server.update_success")).toBe(1 + rotations / 2);
    expect(await envoy.stat("sds.client.update_success")).toBe(1 + rotations / 2);
    expect(await envoy.stat("sds.server-ca.update_success")).toBe(1);

    // A secret that comes late is sent then, and the one that never comes has ended nothing.
    await program.until(
      "/readyz?verbose",
      (text) => text.includes('"never": 1') && text.includes('"later": 1'),
    );
    await rotate("later");
    await program.until("/rotations", (text) => text.includes(names.later) && !text.includes('"waiting"'));
    await expect.poll(() => envoy.stat("sds.later.update_success")).toBe(1);

    // Must-staple without a stapled response is nothing to us, and Envoy refuses it: the record has its words, and the
    // one before is still served.
    const before = (await served()).served?.leaf.sha256;
    await rotate("server", { extra: { extraExtensions: [mustStaple] } });
    await program.until("/rotations", (text) => text.includes("Envoy envoy-under-test refused server: "));
    const [refused] = await program.records("server");
    expect(refused).toMatchObject({ outcome: "stalled", reason: { message: /must-staple/ } });
    expect((await served()).served?.leaf.sha256).toBe(before);
    await rotate("server");
    await program.until("/rotations", (text) => !text.includes('"stalled"') || text.includes('"superseded"'));
    await expect.poll(async () => (await served()).verdict).toBe("equal");

    // While the server is away Envoy goes on, and is told what it missed.
    await program.process[Symbol.asyncDispose]();
    expect(program.process.child.exitCode).toBe(0);
    await rotate("server");
    program = await startProgram(sds, [...args, ...matchers]);
    await expect.poll(async () => (await served()).verdict, { timeout: 40_000, interval: 100 }).toBe("equal");

    const { requests, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(rotations);
    times.sort((a, b) => a - b);
    await context.annotate(
      `${protocol}: ${requests} requests, 0 failures; delivered to taken over: median ${times[times.length >> 1]} ms, max ${times.at(-1)} ms; ` +
        `Envoy's words: ${refused?.reason?.message}`,
    );
  },
);

test.skipIf(absent)(
  "a federation that ends, and an identity that is taken away, end in Envoy too",
  { timeout: 60_000 },
  async () => {
    const directory = box();
    const sds = join(directory, "sds.sock");
    const [shop, bank] = ["shop.example", "bank.example"].map((trustDomain) =>
      createSpiffeAuthority({ trustDomain }),
    );
    if (!shop || !bank) throw new Error("unreachable");
    const ours = late(
      await startWorkloadApi({ authority: shop, path: join(directory, "shop.sock"), federated: [bank] }),
    );
    // The client is a member of the other domain, with secrets from files.
    const client = await createAtomicVolume(join(directory, "client"));
    const { identity } = bank.issueX509Svid({ path: "/teller" });
    await client.write(identity.files(shop.x509.trustPem + bank.x509.trustPem));
    const program = await startProgram(sds, [
      "--workload-api",
      ours.address,
      "--identity",
      `client=${client.directory}`,
      "--match-san",
      "client-ca=uri:spiffe://shop.example/workload",
    ]);
    const envoy = late(
      await startEnvoy({
        directory,
        sds,
        downstream: { certificate: "default", context: "ALL" },
        upstream: { certificate: "client", context: "client-ca" },
      }),
    );
    await untilAnswer(envoy, /^200 hello$/);
    ours.unfederate("bank.example");
    await untilAnswer(envoy, /^503 /);
    ours.federate(bank);
    await untilAnswer(envoy, /^200 hello$/);
    ours.redact();
    await untilAnswer(envoy, /^503 /);
    await program.until("/readyz", (text) => text.includes("withdrawn"));
    ours.rotate();
    await untilAnswer(envoy, /^200 hello$/);
  },
);

const spireProgram = component("NEWLEAF_SPIRE");

test.skipIf(absent || spireProgram === undefined)(
  "a real SPIRE renews every second and rolls its authority over, and no request through Envoy fails",
  { timeout: 60_000 },
  async (context) => {
    const directory = box();
    const sds = join(directory, "sds.sock");
    const spire = late(await startSpire({ program: spireProgram ?? "", ownSvidSeconds: 20 }));
    const [backend, frontend] = ["spiffe://example.org/backend", "spiffe://example.org/frontend"];
    for (const spiffeId of [backend, frontend]) await spire.entries.create({ spiffeId, ttl: 12 });
    const program = await startProgram(sds, ["--workload-api", spire.address]);
    const envoy = late(
      await startEnvoy({
        directory,
        sds,
        protocol: "DELTA_GRPC",
        downstream: { certificate: backend, context: "spiffe://example.org" },
        upstream: { certificate: frontend, context: "ROOTCA" },
      }),
    );
    await untilAnswer(envoy, /^200 hello$/);
    const load = startLoad(envoy, 2);
    // Envoy writes colons in names of statistics as underscores.
    const updates = (name: string) => envoy.stat(`sds.*${name}.update_success`);
    await expect.poll(() => updates("/frontend"), { timeout: 20_000 }).toBeGreaterThan(5);

    const contexts = await updates("ROOTCA");
    const { active } = await spire.authority.state();
    await spire.authority.activate(await spire.authority.prepare());
    await expect.poll(() => updates("ROOTCA"), { timeout: 10_000 }).toBeGreaterThan(contexts);
    await spire.entries.renew();
    const before = await updates("/frontend");
    await expect.poll(() => updates("/frontend"), { timeout: 10_000 }).toBeGreaterThan(before + 2);
    await spire.authority.revoke(active ?? "");
    await expect.poll(() => updates("ROOTCA"), { timeout: 10_000 }).toBeGreaterThan(contexts + 1);
    const { requests, failures } = await load.stop();
    expect(failures).toEqual([]);
    const records = await program.records("workload-api");
    expect(records.filter(({ outcome }) => outcome === "stalled" || outcome === "refused")).toEqual([]);
    context.annotate(`${requests} requests, ${records.length} rotations, a rollover, 0 failures`);
  },
);
