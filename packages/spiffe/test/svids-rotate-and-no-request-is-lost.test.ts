import { createSpiffeAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { caughtUp, startBackend, startWorkload, underLoad, withAgent, withDispatcher } from "./workloads.ts";

const ROTATIONS = 10;

test.each([false, true])(
  "SVIDs rotate on both sides and no request is lost, intermediate: %s",
  async (intermediate) => {
    const authority = createSpiffeAuthority({ intermediate });
    const backend = await startWorkload(authority, "/backend");
    const frontend = await startWorkload(authority, "/frontend");
    const server = await startBackend(backend);
    const asks = [withAgent(frontend), withAgent(frontend), withDispatcher(frontend)];
    const answered = await underLoad(asks, server.url, async () => {
      for (let count = 0; count < ROTATIONS; count++) {
        backend.api.rotate();
        frontend.api.rotate();
        const { number, leaf } = await caughtUp(backend);
        await caughtUp(frontend);
        await server.rotation.whenServed(number);
        expect(leaf.sha256).toBe(backend.api.svids[0]!.identity.certificate.sha256);
        // So that every generation is met by requests, and not only by the server's check of itself.
        for (const ask of asks) await ask(server.url);
      }
    });
    expect(answered).toBeGreaterThan(ROTATIONS);
    expect(server.rejections).toEqual([]);
    expect([...server.callers]).toEqual(["spiffe://example.org/frontend"]);
    expect(backend.source.current().number).toBe(ROTATIONS + 1);
  },
);
