import { createSpiffeAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { generation, startBackend, startWorkload, until, withAgent, withDispatcher } from "./workloads.ts";

const authority = createSpiffeAuthority();

test("Workload API 5.2.1: the identity of a deleted entry serves nobody after the grace, until there is another", async () => {
  const backend = await startWorkload(authority, "/backend", { graceMs: 300 });
  const frontend = await startWorkload(authority, "/frontend");
  const server = await startBackend(backend);
  const asks = [withAgent(frontend), withDispatcher(frontend)];
  for (const ask of asks) expect(await ask(server.url)).toBe("ok");

  backend.api.deny();
  await until(() => backend.source.status().stale);
  for (const ask of asks) expect(await ask(server.url)).toBe("ok");
  await generation(backend, ({ withdrawn }) => withdrawn !== undefined);
  // Neither over a new connection nor over one that is kept alive from before.
  for (const ask of asks) await expect(ask(server.url)).rejects.toThrow();
  await until(() => server.rejections.some(({ code }) => code === "identity_withdrawn"));

  backend.api.recover();
  await generation(backend, ({ withdrawn }) => withdrawn === undefined);
  for (const ask of asks) expect(await ask(server.url)).toBe("ok");
});

test("Workload API 5.2.1: a client whose entry was deleted reaches nobody", async () => {
  const backend = await startWorkload(authority, "/backend");
  const frontend = await startWorkload(authority, "/frontend", { graceMs: 0 });
  const server = await startBackend(backend);
  const ask = withAgent(frontend);
  expect(await ask(server.url)).toBe("ok");
  frontend.api.deny();
  await generation(frontend, ({ withdrawn }) => withdrawn !== undefined);
  await expect(ask(server.url)).rejects.toThrow();
  frontend.api.recover();
  await generation(frontend, ({ withdrawn }) => withdrawn === undefined);
  expect(await ask(server.url)).toBe("ok");
});
