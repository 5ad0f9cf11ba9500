import { createTestAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { clients } from "./clients.ts";
import { startPlainServer } from "./plain-server.ts";
import { createRotatingIdentity } from "./rotating-identity.ts";
import { until } from "./waiting.ts";

const WORKERS = 20;
const ROTATIONS = 30;
const REQUESTS_PER_ROTATION = 50;

test.each(Object.entries(clients))(
  "%s: no request fails and none uses a stale certificate while client and server rotate",
  async (name, start) => {
    const authority = createTestAuthority();
    await using identity = createRotatingIdentity({ authority });
    await using server = await startPlainServer({ authority, http2: name === "http2" });
    const client = start(identity.source, server.origin);
    const numbers = new Map([[identity.leaf.certificate.sha256, 1]]);
    const failures: string[] = [];
    let requests = 0;
    let stale = 0;

    const rotate = (): void => {
      const generation = identity.rotate();
      numbers.set(generation.leaf.sha256, generation.number);
      server.swap(authority.issue());
    };
    const work = async (): Promise<void> => {
      while (numbers.size <= ROTATIONS) {
        const { number } = identity.source.current();
        try {
          const { status, text } = await client.get("/");
          if (status !== 200) failures.push(`status ${status}`);
          if ((numbers.get(text) ?? 0) < number) stale += 1;
        } catch (error) {
          failures.push(String(error));
        }
        requests += 1;
        if (requests % REQUESTS_PER_ROTATION === 0) rotate();
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    await client.rotation.whenComplete(identity.source.current().number);

    expect(failures).toEqual([]);
    expect(stale).toBe(0);
    expect(requests).toBeGreaterThanOrEqual(ROTATIONS * REQUESTS_PER_ROTATION);
    expect(server.accepted()).toBeGreaterThanOrEqual(ROTATIONS);
    await client[Symbol.asyncDispose]();
    await until(() => server.open().length === 0);
  },
);
