// The library's signal consumer on a real nginx: a rotation tells it by its pid file to reload, and only a handshake
// with the new leaf counts as served. Needs: nginx, openssl.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSignalConsumer, startRotation, verifyServed, watchFiles } from "@newleaf/rotation";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startNginx } from "../../bench/peers/nginx.ts";
import type { Peer } from "../../bench/peers/peer.ts";
import { component } from "../component.ts";
import { createOpensslAuthority, type OpensslAuthority } from "../openssl-authority.ts";

const box = mkdtempSync(join(tmpdir(), "newleaf-signal-"));
const at = (path: string): string => join(box, path);
const stored = at("nginx/certificates");
const pidFile = at("nginx/nginx.pid");
let authority: OpensslAuthority;
let peer: Peer;
let target: string;
let made = 0;

function issue(): string {
  const directory = at(`issued-${++made}`);
  authority.issue(directory, { name: "backend", san: "DNS:localhost,IP:127.0.0.1" });
  return directory;
}

function publish(from: string, files: readonly string[] = ["tls.crt", "tls.key", "ca.crt"]): void {
  mkdirSync(stored, { recursive: true });
  for (const file of files) {
    copyFileSync(join(from, file), join(stored, `.${file}`));
    renameSync(join(stored, `.${file}`), join(stored, file));
  }
}

describe.skipIf(component("NEWLEAF_NGINX") === undefined)("signal consumer (needs: nginx)", () => {
  beforeAll(async () => {
    authority = createOpensslAuthority(at("authority"), "shop root");
    publish(issue());
    peer = await startNginx({ directory: stored, workDirectory: at("nginx") });
    target = `https://127.0.0.1:${peer.port}`;
  });

  afterAll(async () => {
    await peer?.stop();
    rmSync(box, { recursive: true });
  });

  test("nginx is told by its pid file and proved by handshake, for each of five rotations", async () => {
    await using source = await watchFiles({ directory: stored });
    await using rotation = startRotation(source, [
      createSignalConsumer({ name: "nginx", process: { pidFile }, targets: [target] }),
    ]);
    await rotation.whenServed(1);
    for (const number of [2, 3, 4, 5, 6]) {
      publish(issue());
      const record = await rotation.whenComplete(number, AbortSignal.timeout(15_000));
      expect(record).toMatchObject({ generation: number, outcome: "complete" });
      expect(record.consumers[0]?.served?.[0]).toMatchObject({
        target,
        verdict: "equal",
        trusted: { ok: true },
      });
    }
  });

  test("a mismatched pair never reaches nginx: it is refused here, no signal is sent, the old one is served", async () => {
    await using source = await watchFiles({ directory: stored });
    await using rotation = startRotation(source, [
      createSignalConsumer({ name: "nginx", process: { pidFile }, targets: [target] }),
    ]);
    await rotation.whenServed(1);
    const before = source.current();
    const refusals = source.refusals();
    const next = issue();
    publish(next, ["tls.crt"]);
    for await (const refusal of refusals) {
      expect(["torn", "key_mismatch"]).toContain(refusal.code);
      expect(refusal.kept).toBe(before.number);
      if (refusal.code === "key_mismatch") break;
    }
    expect(await verifyServed(target, before, { client: before })).toMatchObject({ verdict: "equal" });
    expect(rotation.status().served).toBe(before.number);
    // nginx would have refused it as well, but was not even asked.
    expect(readFileSync(at("nginx/nginx-error.log"), "utf8")).not.toContain("key values mismatch");

    publish(next, ["tls.key"]);
    const record = await rotation.whenServed(before.number + 1, AbortSignal.timeout(15_000));
    expect(record.consumers[0]?.served?.[0]).toMatchObject({ verdict: "equal" });
  });

  test("without its pid file the rotation stalls and says so, and goes on when it is back", async () => {
    await using source = await watchFiles({ directory: stored });
    await using rotation = startRotation(
      source,
      [createSignalConsumer({ name: "nginx", process: { pidFile }, targets: [target] })],
      { retry: { baseMs: 20, maxMs: 100 } },
    );
    await rotation.whenServed(1);
    const records = rotation.records();
    copyFileSync(pidFile, `${pidFile}.kept`);
    unlinkSync(pidFile);
    publish(issue());
    for await (const record of records) {
      if (record.generation !== 2) continue;
      expect(record.outcome).toBe("stalled");
      expect(record.reason?.message).toContain("nginx.pid cannot be read");
      break;
    }
    renameSync(`${pidFile}.kept`, pidFile);
    const record = await rotation.whenServed(2, AbortSignal.timeout(15_000));
    expect(record.consumers[0]?.served?.[0]).toMatchObject({ verdict: "equal" });
  });
});
