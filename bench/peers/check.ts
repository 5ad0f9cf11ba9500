// Starts each installed peer and looks whether it does what the benchmark relies on: hello over mTLS, a refused
// stranger, the new leaf after a swap, and nothing left behind.
//   node --import tsx bench/peers/check.ts [name...]
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { startCertwatcher } from "./certwatcher.ts";
import { startEnvoy } from "./envoy.ts";
import { startGhostunnel } from "./ghostunnel.ts";
import { startGoMtls } from "./go-mtls.ts";
import { startNginx } from "./nginx.ts";
import { type Peer, PeerError, type PeerOptions } from "./peer.ts";

const run = promisify(execFile);
const peers: Record<string, (options: PeerOptions) => Promise<Peer>> = {
  nginx: startNginx,
  envoy: startEnvoy,
  ghostunnel: startGhostunnel,
  certwatcher: startCertwatcher,
  "go-mtls": startGoMtls,
};

/** What each peer reads again while it runs. */
const reloading = {
  leaf: new Set(["nginx", "envoy", "ghostunnel", "certwatcher"]),
  trust: new Set(["nginx", "envoy", "ghostunnel"]),
};

async function main(names: readonly string[]): Promise<void> {
  for (const [name, start] of Object.entries(peers)) {
    if (names.length > 0 && !names.includes(name)) continue;
    for (const pinCpu of [undefined, 0]) {
      const home = await mkdtemp(join(tmpdir(), `newleaf-peer-${name}-`));
      try {
        console.log(`ok ${name} ${pinCpu === undefined ? "" : "pinned "}${await check(start, home, pinCpu)}`);
      } catch (error) {
        const absent = error instanceof PeerError && error.code === "unavailable";
        console.log(
          `${absent ? "skipped" : "failed"} ${name}: ${error instanceof Error ? error.message : error}`,
        );
        if (!absent) process.exitCode = 1;
      } finally {
        await rm(home, { recursive: true });
      }
    }
  }
}

async function check(
  start: (options: PeerOptions) => Promise<Peer>,
  home: string,
  pinCpu: number | undefined,
): Promise<string> {
  const directory = join(home, "tls");
  const workDirectory = join(home, "work");
  await mkdir(directory);
  await mkdir(workDirectory);
  await issue(home, "ca", ["-addext", "basicConstraints=critical,CA:TRUE"]);
  await issue(home, "client", signedBy(home));
  await publishLeaf(home, directory);

  const begin = performance.now();
  const peer = await start({ directory, workDirectory, pinCpu });
  try {
    const readyMs = performance.now() - begin;
    const identity = ["--cert", join(home, "client.crt"), "--key", join(home, "client.key")];
    const known = await curl(home, peer.port, identity);
    if (known !== "hello\n200 https") throw new Error(`answers ${JSON.stringify(known)}`);
    const stranger = await curl(home, peer.port, []);
    if (stranger.endsWith("200 https")) throw new Error("serves a client without a certificate");

    const leafMs = reloading.leaf.has(peer.name) ? await timeNewLeaf(home, directory, peer) : undefined;
    const trustMs = reloading.trust.has(peer.name)
      ? await timeRemovedTrust(home, directory, peer, identity)
      : undefined;
    const { stdout } = await run("taskset", ["-cp", String(peer.pid)]);
    if (pinCpu !== undefined && !stdout.trim().endsWith(`: ${pinCpu}`)) throw new Error(`runs on ${stdout}`);
    const took = (ms: number | undefined): string => (ms === undefined ? "never" : `${ms.toFixed(0)} ms`);
    return `${peer.version}: ready ${took(readyMs)}, new leaf ${took(leafMs)}, old client refused ${took(trustMs)}`;
  } finally {
    await peer.stop();
    await peer.stop();
    const { stdout } = await run("ps", ["-eo", "pgid=,stat=,args="]);
    const left = stdout.split("\n").filter((line) => Number.parseInt(line, 10) === peer.pid);
    if (left.length > 0) console.log(`left behind: ${left.join("; ")}`);
  }
}

async function timeNewLeaf(home: string, directory: string, peer: Peer): Promise<number> {
  const before = await servedFingerprint(home, peer.port);
  await publishLeaf(home, directory);
  return timeUntil(peer, async () => (await servedFingerprint(home, peer.port)) !== before);
}

async function timeRemovedTrust(
  home: string,
  directory: string,
  peer: Peer,
  identity: readonly string[],
): Promise<number> {
  await issue(home, "other-ca", ["-addext", "basicConstraints=critical,CA:TRUE"]);
  await publishLeaf(home, directory, "other-ca.crt");
  return timeUntil(peer, async () => !(await curl(home, peer.port, identity)).endsWith("200 https"));
}

async function timeUntil(peer: Peer, condition: () => Promise<boolean>): Promise<number> {
  const begin = performance.now();
  await peer.reload?.();
  while (!(await condition())) {
    if (performance.now() - begin > 15_000) throw new Error("does what it did before the swap");
    await delay(2);
  }
  return performance.now() - begin;
}

async function curl(home: string, port: number, identity: readonly string[]): Promise<string> {
  const args = ["-sS", "--max-time", "5", "--tlsv1.3", "--cacert", join(home, "ca.crt"), ...identity];
  const url = `https://localhost:${port}/`;
  try {
    const format = ["-w", "%{http_code} %{scheme}"];
    const { stdout } = await run("curl", [
      ...args,
      ...format,
      "--resolve",
      `localhost:${port}:127.0.0.1`,
      url,
    ]);
    return stdout.replace(/HTTPS$/, "https");
  } catch {
    return "refused";
  }
}

async function servedFingerprint(home: string, port: number): Promise<string> {
  const [ca, cert, key] = await Promise.all(
    ["ca.crt", "client.crt", "client.key"].map((name) => readFile(join(home, name))),
  );
  const socket = connect({
    host: "127.0.0.1",
    port,
    servername: "localhost",
    ca: ca!,
    cert: cert!,
    key: key!,
  });
  try {
    await once(socket, "secureConnect");
    return socket.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

let generation = 0;

/** A new leaf, published as AtomicWriter does: `..data` is renamed over, the old folder deleted at once. */
async function publishLeaf(home: string, directory: string, trust = "ca.crt"): Promise<void> {
  await issue(home, "tls", [...signedBy(home), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
  const data = join(directory, "..data");
  const before = await readlink(data).catch(() => undefined);
  generation += 1;
  const next = `..${generation}`;
  await mkdir(join(directory, next));
  for (const name of ["tls.crt", "tls.key", "ca.crt"]) {
    const content = await readFile(join(home, name === "ca.crt" ? trust : name));
    await writeFile(join(directory, next, name), content);
    if (before === undefined) await symlink(join("..data", name), join(directory, name));
  }
  await symlink(next, `${data}_tmp`);
  await rename(`${data}_tmp`, data);
  if (before !== undefined) await rm(join(directory, before), { recursive: true });
}

async function issue(home: string, name: string, options: readonly string[]): Promise<void> {
  const files = ["-keyout", join(home, `${name}.key`), "-out", join(home, `${name}.crt`)];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  await run("openssl", ["req", "-x509", ...key, "-subj", `/CN=${name}`, "-days", "1", ...files, ...options]);
}

function signedBy(home: string): string[] {
  return ["-CA", join(home, "ca.crt"), "-CAkey", join(home, "ca.key")];
}

await main(process.argv.slice(2));
