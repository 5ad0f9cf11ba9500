// Certificates made by openssl, swapped every second by a shell script in three ways, under curl, Python requests and
// undici, whose own certificates rotate too. Needs: openssl, curl; Python requests where present.
// NEWLEAF_E2E_SECONDS is how long (60 by default; 600 for the full run).
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { watchFiles } from "@newleaf/rotation";
import { createRotatingDispatcher } from "@newleaf/rotation/undici";
import { request } from "undici";
import { expect, test } from "vitest";
import { component } from "../component.ts";
import { createOpensslAuthority, type OpensslAuthority } from "../openssl-authority.ts";
import { type RunningProcess, runNewleaf, startProcess } from "../process.ts";
import { startProxy } from "../proxy.ts";

const seconds = Number(process.env.NEWLEAF_E2E_SECONDS ?? 60);
const here = new URL(".", import.meta.url).pathname;

async function startSwaps(
  authority: OpensslAuthority,
  directory: string,
  mode: "symlink" | "rename" | "in-place",
  name: string,
  san: string,
): Promise<RunningProcess> {
  mkdirSync(directory, { recursive: true });
  const swaps = startProcess("bash", [`${here}swap.sh`, authority.directory, directory, mode, name, san]);
  await swaps.line(/^swapped/);
  return swaps;
}

test(
  `${seconds} s of swaps in three ways under three kinds of client: not one failure`,
  async (context) => {
    const box = mkdtempSync(join(tmpdir(), "newleaf-swaps-"));
    const authority = createOpensslAuthority(join(box, "authority"), "shop root");
    const python = component("NEWLEAF_PYTHON");
    if (python === undefined)
      context.annotate("Python requests is absent: its loop is left out (make e2e-setup installs it)");

    const modes = ["symlink", "rename", "in-place"] as const;
    const swaps: RunningProcess[] = [];
    const started: AsyncDisposable[] = [];
    try {
      const servers: { mode: string; url: string; certs: string; swaps: RunningProcess }[] = [];
      for (const mode of modes) {
        const running = await startSwaps(
          authority,
          join(box, mode),
          mode,
          "backend",
          "DNS:localhost,IP:127.0.0.1",
        );
        swaps.push(running);
        const proxy = await startProxy(join(box, mode, "current"), ["--allow-dns", "client.shop.svc"]);
        started.push(proxy);
        servers.push({
          mode,
          url: `https://localhost:${proxy.port}/`,
          certs: join(box, mode, "current"),
          swaps: running,
        });
      }
      const urls = servers.map(({ url }) => url);

      const clientDirectory = async (name: string): Promise<string> => {
        swaps.push(await startSwaps(authority, join(box, name), "symlink", name, "DNS:client.shop.svc"));
        return join(box, name, "current");
      };
      const loops: RunningProcess[] = [
        startProcess("bash", [`${here}curl-loop.sh`, await clientDirectory("curl"), ...urls]),
      ];
      if (python !== undefined)
        loops.push(
          startProcess(python, [`${here}requests-loop.py`, await clientDirectory("python"), ...urls]),
        );
      started.push(...loops);

      const identity = await watchFiles({ directory: await clientDirectory("undici") });
      const dispatcher = createRotatingDispatcher(identity);
      started.push(dispatcher, identity);
      const deadline = Date.now() + seconds * 1000;
      const tally = { requests: 0, failures: [] as string[] };
      const undiciLoop = async (url: string): Promise<void> => {
        while (Date.now() < deadline) {
          try {
            const response = await request(url, { dispatcher });
            await response.body.text();
            tally.requests++;
            if (response.statusCode !== 200) tally.failures.push(`${url} ${response.statusCode}`);
          } catch (error) {
            tally.failures.push(`${url} ${String(error)}`);
          }
          await sleep(20);
        }
      };
      // Within a second of a swap, `newleaf verify` finds served and stored equal.
      const verifyLoop = async ({
        url,
        certs,
        swaps: running,
        mode,
      }: (typeof servers)[number]): Promise<number> => {
        let verified = 0;
        while (Date.now() < deadline) {
          const seen = running.lines.length;
          while (running.lines.length === seen) await sleep(10);
          await sleep(300);
          const result = await runNewleaf(["verify", url, "--certs", certs, "--json"]);
          expect(result.code, `verify ${mode}: ${result.stdout}${result.stderr}`).toBe(0);
          verified++;
          await sleep(3000);
        }
        return verified;
      };
      const [verified] = await Promise.all([
        Promise.all(servers.map(verifyLoop)),
        ...urls.flatMap((url) => [undiciLoop(url), undiciLoop(url)]),
      ]);

      expect(tally.failures).toEqual([]);
      expect(tally.requests).toBeGreaterThan(seconds * 10);
      for (const loop of loops) {
        expect(loop.lines.filter((line) => !line.startsWith("ok"))).toEqual([]);
        expect(loop.lines.length).toBeGreaterThan(seconds);
      }
      for (const count of verified) expect(count).toBeGreaterThanOrEqual(seconds / 20);
      for (const running of swaps) expect(running.lines.length).toBeGreaterThan(seconds / 3);
      context.annotate(
        `undici ${tally.requests}, ${loops.map((loop) => `${loop.child.spawnfile} ${loop.lines.length}`).join(", ")} requests, ` +
          `${swaps.reduce((sum, running) => sum + running.lines.length, 0)} swaps, ${verified.join("+")} verified, 0 failures`,
      );
    } finally {
      for (const process of [...started, ...swaps].reverse()) await process[Symbol.asyncDispose]();
      rmSync(box, { recursive: true });
    }
  },
  seconds * 1000 + 120_000,
);
