import { createSpiffeAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import {
  caughtUp,
  startBackend,
  startWorkload,
  underLoad,
  until,
  withAgent,
  withDispatcher,
} from "./workloads.ts";

test("agents stop and start again, and no request is lost", async () => {
  const authority = createSpiffeAuthority();
  const backend = await startWorkload(authority, "/backend");
  const frontend = await startWorkload(authority, "/frontend");
  const server = await startBackend(backend);
  await underLoad([withAgent(frontend), withDispatcher(frontend)], server.url, async () => {
    for (const workload of [backend, frontend]) {
      await workload.api.stop();
      await until(() => workload.source.status().stale);
      workload.api.rotate();
      await workload.api.start();
      await caughtUp(workload);
      expect(workload.source.status()).toMatchObject({ stale: false, updates: 2 });
    }
    await server.rotation.whenServed(2);
  });
  expect(server.rejections).toEqual([]);
});
