import { createSpiffeAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { spiffe } from "../src/authorizers.ts";
import { generation, startBackend, startWorkload, until, withAgent, withDispatcher } from "./workloads.ts";

const authority = createSpiffeAuthority();
const other = createSpiffeAuthority({ trustDomain: "other.org" });

test("Workload API 4.6: a federated peer is let in, and refused once its federation ends", async () => {
  const backend = await startWorkload(authority, "/backend", { federated: [other] });
  const partner = await startWorkload(other, "/partner", { federated: [authority] });
  const own = await startWorkload(authority, "/frontend");
  const server = await startBackend(backend);
  const [ask, askOwn] = [withAgent(partner), withDispatcher(own)];
  expect(await ask(server.url)).toBe("ok");
  expect(server.callers).toContain("spiffe://other.org/partner");

  backend.api.unfederate("other.org");
  await generation(backend, ({ number }) => number === 2);
  // The connection that is kept alive from before is no way in either.
  await expect(ask(server.url)).rejects.toThrow();
  await until(() =>
    server.rejections.some(({ code }) => code === "unknown_authority" || code === "trust_removed"),
  );
  expect(await askOwn(server.url)).toBe("ok");

  backend.api.federate(other);
  await generation(backend, ({ number }) => number === 3);
  expect(await ask(server.url)).toBe("ok");
});

test("Workload API 4.6: a client refuses a server of a trust domain without a bundle, or that it does not expect", async () => {
  const backend = await startWorkload(other, "/backend", { federated: [authority] });
  const frontend = await startWorkload(authority, "/frontend", { federated: [other] });
  const server = await startBackend(backend);
  expect(await withAgent(frontend, spiffe.id("spiffe://other.org/backend"))(server.url)).toBe("ok");
  const refused = { code: "ERR_ROTATION_SERVER_REFUSED" };
  const elsewhere = withAgent(frontend, spiffe.id("spiffe://other.org/elsewhere"));
  await expect(elsewhere(server.url)).rejects.toMatchObject(refused);
  frontend.api.unfederate("other.org");
  await generation(frontend, ({ number }) => number === 2);
  await expect(withAgent(frontend)(server.url)).rejects.toThrow();
});

test("Workload API 4.6: an authority vouches for nobody of another trust domain", async () => {
  const backend = await startWorkload(authority, "/backend", { federated: [other] });
  const server = await startBackend(backend);
  // Signed by other.org, whose bundle is known, for a name of example.org.
  const forged = other.issueX509Svid({ spiffeId: "spiffe://example.org/admin" });
  const impostor = await startWorkload(authority, "/impostor");
  impostor.api.send(({ svids }) => {
    svids[0]!.spiffeId = forged.spiffeId;
    svids[0]!.x509Svid = forged.certificates;
    svids[0]!.x509SvidKey = forged.key;
    svids[0]!.bundle = Buffer.concat([authority.x509Bundle(), other.x509Bundle()]);
  });
  await generation(impostor, ({ identity }) => identity === "spiffe://example.org/admin");
  await expect(withAgent(impostor)(server.url)).rejects.toThrow();
  await until(() => server.rejections.length > 0);
  expect(server.callers.size).toBe(0);
});
