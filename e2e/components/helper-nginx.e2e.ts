// SVIDs of a Workload API on a real nginx, through `newleaf helper` and its reload block: every rotation is proved by a
// handshake, under clients that never fail. Needs: nginx.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRotatingDispatcher } from "@newleaf/rotation/undici";
import { spiffe, watchSpiffe } from "@newleaf/spiffe";
import { createSpiffeAuthority, startWorkloadApi } from "@newleaf/testing";
import { afterAll, describe, expect, test } from "vitest";
import { startNginx } from "../../bench/peers/nginx.ts";
import { freePort } from "../../bench/peers/peer.ts";
import { component } from "../component.ts";
import { runNewleaf, startNewleaf } from "../process.ts";
import { until } from "../until.ts";

const box = mkdtempSync(join(tmpdir(), "newleaf-helper-nginx-"));
const certs = join(box, "certs");
const work = join(box, "nginx");
const rotations = 10;

interface Rotations {
  readonly rotations: readonly { readonly sha256: string; readonly outcome: string }[];
}

describe.skipIf(component("NEWLEAF_NGINX") === undefined)("helper and nginx (needs: nginx)", () => {
  afterAll(() => rmSync(box, { recursive: true }));

  test(`${rotations} rotations under load: nginx is reloaded and proved each time, and no request fails`, async () => {
    for (const directory of [certs, work]) mkdirSync(directory);
    const authority = createSpiffeAuthority({ trustDomain: "shop.example" });
    await using server = await startWorkloadApi({
      authority,
      workloads: [{ path: "/web", issue: { dnsNames: ["localhost"] } }],
    });
    await using client = await startWorkloadApi({ authority, workloads: [{ path: "/client" }] });
    const config = join(box, "helper.conf");
    const files = [
      `agent_address = "${server.address}"`,
      `cert_dir = "${certs}"`,
      `svid_file_name = "tls.crt"`,
      `svid_key_file_name = "tls.key"`,
      `svid_bundle_file_name = "ca.crt"`,
    ];
    writeFileSync(config, files.join("\n"));
    const first = await runNewleaf(["helper", "-config", config, "-daemon-mode=false"]);
    expect(first, first.stderr).toMatchObject({ code: 0 });

    const nginx = await startNginx({ directory: certs, workDirectory: work });
    try {
      const reload = `reload "nginx" {\n pid_file = "${work}/nginx.pid"\n verify { address = "127.0.0.1:${nginx.port}" }\n}`;
      writeFileSync(config, [...files, reload].join("\n"));
      const admin = `127.0.0.1:${await freePort()}`;
      await using helper = startNewleaf(["helper", "-config", config], { NEWLEAF_HELPER_ADMIN: admin });
      await helper.line(/rotation complete/);

      await using identity = await watchSpiffe({ address: client.address });
      await using dispatcher = createRotatingDispatcher(identity, {
        authorizeServer: spiffe.id("spiffe://shop.example/web"),
      });
      const ending = new AbortController();
      const failures: string[] = [];
      let requests = 0;
      const worker = async (): Promise<void> => {
        while (!ending.signal.aborted) {
          try {
            const { body } = await dispatcher.request({
              origin: `https://127.0.0.1:${nginx.port}`,
              path: "/",
              method: "GET",
              reset: true,
            });
            await body.text();
            requests += 1;
          } catch (error) {
            failures.push(error instanceof Error ? error.message : String(error));
          }
          await sleep(5);
        }
      };
      const workers = Promise.all([worker(), worker(), worker()]);
      for (let rotation = 1; rotation <= rotations; rotation++) {
        const [svid] = server.rotate();
        client.rotate();
        await until("the rotation is proved", async () => {
          const { rotations } = (await (await fetch(`http://${admin}/rotations`)).json()) as Rotations;
          const record = rotations.find(({ sha256 }) => sha256 === svid?.identity.certificate.sha256);
          return record?.outcome === "complete";
        });
      }
      ending.abort();
      await workers;
      expect(failures).toEqual([]);
      expect(requests).toBeGreaterThan(rotations * 10);
    } finally {
      await nginx.stop();
    }
  });
});
