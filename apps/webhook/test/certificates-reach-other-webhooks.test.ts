import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdir, readFile, readlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { resources, startInformer } from "@newleaf/kube";
import { createAtomicVolume } from "@newleaf/testing";
import { parseCertificates } from "@newleaf/x509";
import { expect, onTestFinished, test } from "vitest";
import { startNewleaf } from "./run-newleaf.ts";
import { createWebhookWorld, NAME, quick, whenReady } from "./webhook-world.ts";

const eventually = { timeout: 20_000, interval: 50 };
const script = new URL("reloading-server.mjs", import.meta.url).pathname;

test("a sidecar leads, follows, writes, signals, and proves that it is served", {
  timeout: 60_000,
}, async () => {
  await using world = await createWebhookWorld();
  const [out, pidFile, port] = [join(world.directory, "out"), join(world.directory, "pid"), await freePort()];
  await mkdir(out);
  const sidecar = startNewleaf([
    "webhook-certs", "run", "--name", NAME, "--kubeconfig", await world.kubeconfig(), "--pod", "side-0", "--from-secret",
    "--validating", NAME, "--acknowledge", "none", "--out", out, "--key-mode", "0640", "--pid-file", pidFile,
    "--verify", `127.0.0.1:${port}`, "--verify-name", `${NAME}.shop.svc`, "--certificate-duration", "9s",
    "--authority-duration", "120s", ...quick,
  ]); // biome-ignore format: one command line
  onTestFinished(async () => void (await sidecar.stop()));
  await whenReady(sidecar);
  expect(await readlink(join(out, "tls.crt"))).toBe("..data/tls.crt");
  const modes = await Promise.all(
    ["tls.crt", "tls.key", "ca.crt"].map(
      async (name) => (await lstat(join(out, "..data", name))).mode & 0o777,
    ),
  );
  expect(modes).toEqual([0o644, 0o640, 0o644]);
  const secret = await world.secret();
  expect(await readFile(join(out, "tls.crt"), "base64")).toBe(secret?.data?.["tls.crt"]);
  expect(await readFile(join(out, "ca.crt"), "base64")).toBe(secret?.data?.["ca.crt"]);
  expect(world.caBundle()).toBe(secret?.data?.["ca.crt"]);

  const child = spawn(process.execPath, [script, out, pidFile, String(port)], { stdio: "ignore" });
  onTestFinished(() => end(child));
  const record = async () => JSON.parse((await sidecar.ask("/rotations")).text).rotations[0];
  await expect.poll(record, eventually).toMatchObject({ outcome: "complete" });
  const first = (await record()).generation;
  await expect.poll(record, eventually).toMatchObject({
    outcome: "complete",
    generation: first + 1,
    consumers: [{ served: [{ verdict: "equal" }] }],
  });
});

test("a follower asks the kubelet by its Pod, and takes what is mounted only once it is announced", {
  timeout: 60_000,
}, async () => {
  await using world = await createWebhookWorld();
  await using volume = await createAtomicVolume(join(world.directory, "mount"));
  const sync = async () => {
    const { data = {} } = (await world.secret()) ?? {};
    const files = Object.entries(data).map(([name, text]) => [name, Buffer.from(text, "base64").toString()]);
    if (files.length > 0) await volume.write(Object.fromEntries(files));
  };
  // As the kubelet does: a Pod that changes has its volumes synced at once.
  await using kubelet = startInformer({
    resource: world.admin.resource(resources.pods, { namespace: "shop" }),
  });
  let synced = 0;
  kubelet.addHandler({
    async update(old, pod) {
      const asked = pod.metadata?.annotations?.["newleaf.dev/expected-cert-hash"];
      if (asked === undefined || asked === old.metadata?.annotations?.["newleaf.dev/expected-cert-hash"])
        return;
      synced += 1;
      await sync();
    },
  });
  const replica = await world.replica("shop-0", [
    "--certs", volume.directory, "--certificate-duration", "6s", "--authority-duration", "60s",
  ]); // biome-ignore format: one command line
  await replica.ready;
  const serial = await replica.serving();
  await expect.poll(() => replica.serving(), eventually).not.toBe(serial);
  expect(synced).toBeGreaterThanOrEqual(2);
  const [pod] = kubelet.list();
  expect(pod?.metadata?.annotations).toHaveProperty(["newleaf.dev/acknowledged-cert-hash"]);
  expect(replica.lines("Certificate hash mismatch, waiting for kubelet sync").length).toBeGreaterThan(0);
});

test("with both, the Secret is taken while the mount is behind", { timeout: 60_000 }, async () => {
  await using world = await createWebhookWorld();
  await using volume = await createAtomicVolume(join(world.directory, "mount"));
  const replica = await world.replica("shop-0", [
    "--certs", volume.directory, "--from-secret", "--certificate-duration", "6s", "--authority-duration", "60s",
  ]); // biome-ignore format: one command line
  await replica.ready;
  const first = await world.secret();
  await volume.write(
    Object.fromEntries(
      Object.entries(first?.data ?? {}).map(([name, text]) => [name, Buffer.from(text, "base64").toString()]),
    ),
  );
  const serial = await replica.serving();
  await expect.poll(() => replica.serving(), eventually).not.toBe(serial);
  const { status, text } = await replica.ask("/readyz?verbose");
  expect(status).toBe(200);
  expect(JSON.parse(text).checks.identity.details).toMatchObject({ stale: false });
  const served = (await world.secret())?.data?.["tls.crt"] ?? "";
  const [leaf] = parseCertificates(Buffer.from(served, "base64").toString());
  await expect.poll(() => replica.serving(), eventually).toBe(leaf?.serialNumber);
});

test("a command is run once the files are there, and again until it ends well", {
  timeout: 60_000,
}, async () => {
  await using world = await createWebhookWorld();
  const [out, script] = [join(world.directory, "out"), join(world.directory, "reload.mjs")];
  await mkdir(out);
  // Fails the first time; then it copies what it was told of.
  await writeFile(
    script,
    `import { copyFileSync, existsSync, writeFileSync } from "node:fs";
     const [out, seen] = process.argv.slice(2);
     if (!existsSync(seen)) { writeFileSync(seen, ""); console.error("not yet"); process.exit(3); }
     copyFileSync(out + "/tls.crt", seen);`,
  );
  const seen = join(world.directory, "seen");
  const sidecar = startNewleaf([
    "webhook-certs", "run", "--name", NAME, "--kubeconfig", await world.kubeconfig(), "--pod", "side-0", "--from-secret",
    "--acknowledge", "none", "--out", out, "--exec", `${process.execPath} ${script} ${out} ${seen}`, ...quick,
  ]); // biome-ignore format: one command line
  onTestFinished(async () => void (await sidecar.stop()));
  await whenReady(sidecar);
  await expect
    .poll(async () => JSON.parse((await sidecar.ask("/rotations")).text).rotations[0], eventually)
    .toMatchObject({ outcome: "complete" });
  expect(await readFile(seen, "utf8")).toBe(await readFile(join(out, "tls.crt"), "utf8"));
  const [stalled] = sidecar.lines("rotation stalled");
  expect(stalled?.reason).toMatch(/ended with 3: not yet/);
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}
