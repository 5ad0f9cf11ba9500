import { createSpiffeAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { caughtUp, startBackend, startWorkload, underLoad, withDispatcher } from "./workloads.ts";

const MESSAGES = 200;

test("hundreds of messages at once end at the last, with no backlog and no request lost", async () => {
  const authority = createSpiffeAuthority();
  const backend = await startWorkload(authority, "/backend");
  const frontend = await startWorkload(authority, "/frontend");
  const server = await startBackend(backend);
  await underLoad([withDispatcher(frontend)], server.url, async () => {
    for (let count = 0; count < MESSAGES; count++) backend.api.rotate();
    const { number } = await caughtUp(backend);
    expect(number).toBe(MESSAGES + 1);
    await server.rotation.whenServed(number);
  });
  expect(server.rejections).toEqual([]);
  expect(backend.source.workloadApi()).toMatchObject({ messages: MESSAGES + 1, failures: 0 });
});
