import { createSpiffeAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import {
  caughtUp,
  generation,
  startBackend,
  startWorkload,
  underLoad,
  until,
  withAgent,
  withDispatcher,
} from "./workloads.ts";

test("an authority rolls over and no request is lost; who stayed behind is refused", async () => {
  const authority = createSpiffeAuthority();
  const backend = await startWorkload(authority, "/backend");
  const frontend = await startWorkload(authority, "/frontend");
  const behind = await startWorkload(authority, "/behind");
  const everyone = [backend, frontend];
  const server = await startBackend(backend);
  const [old] = authority.x509Authorities;
  const late = withAgent(behind);
  expect(await late(server.url)).toBe("ok");

  await underLoad([withAgent(frontend), withDispatcher(frontend)], server.url, async () => {
    authority.prepare();
    for (const workload of [...everyone, behind]) {
      workload.api.publish();
      await generation(workload, ({ trust }) => trust.certificates.length === 2);
    }
    authority.activate();
    for (const workload of everyone) {
      workload.api.rotate();
      await caughtUp(workload);
    }
    await server.rotation.whenServed(backend.source.current().number);
    // What was opened with the old certificates ends by itself before their authority goes.
    await until(() => server.rotation.status().draining === 0);
    expect(backend.source.current().leaf.issuer).toEqual(old!.subject);
    authority.retire();
    for (const workload of everyone) {
      workload.api.publish();
      await generation(workload, ({ trust }) => trust.certificates.length === 1 && !trust.has(old!));
    }
    await server.rotation.whenServed(backend.source.current().number);
  });

  await expect(late(server.url)).rejects.toThrow();
  await until(() => server.rejections.length > 0);
  const { sha256 } = behind.source.current().leaf;
  for (const { peer } of server.rejections) expect(peer?.sha256).toBe(sha256);
  behind.api.rotate();
  await caughtUp(behind);
  expect(await late(server.url)).toBe("ok");
});
