import { once } from "node:events";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { createTestAuthority, type TestAuthority } from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createRotatingAgent } from "../src/agent.ts";
import { allow } from "../src/authorize.ts";
import type { Rejection } from "../src/rejection.ts";
import { type RolloverParticipant, rollTrust } from "../src/rollover.ts";
import { createRolloverParticipant } from "../src/rollover-participant.ts";
import { rotateServer } from "../src/server-consumer.ts";
import { serverOptions } from "../src/server-options.ts";
import { createRotatingDispatcher } from "../src/undici.ts";
import { getWithAgent } from "./clients.ts";
import { createRotatingIdentity, type RotatingIdentity } from "./rotating-identity.ts";
import { until } from "./waiting.ts";

const NODES = 3;
const WORKERS_PER_NODE = 4;

test("trust rolls from one authority to the next under load: no valid peer is refused, then the old one is", async () => {
  const { old, next } = createTestAuthority().roll();
  await using stack = createStack();
  const nodes = await Promise.all(
    Array.from({ length: NODES }, (_, index) => startNode(`node-${index}`, old, stack)),
  );
  // Somebody outside with a certificate of the old authority and a connection that stays open.
  const outsider = createOutsider(old, stack);
  const [first] = nodes;
  if (!first) throw new Error("unreachable");
  expect(await outsider.get(first.origin)).toBe("hello from node-0");

  const failures: string[] = [];
  let requests = 0;
  let stopped = false;
  const load = nodes.flatMap((node) =>
    Array.from({ length: WORKERS_PER_NODE }, async (_, worker) => {
      for (let i = 0; !stopped; i++) {
        const target = nodes[i % NODES];
        if (!target) continue;
        const get = worker % 2 === 0 ? node.getWithAgent : node.getWithFetch;
        await get(target.origin).catch((error: unknown) => failures.push(`${node.name}: ${String(error)}`));
        requests += 1;
      }
    }),
  );
  await until(() => requests > 100);

  // Each node takes over what is handed out at a moment of its own.
  const staggered = (change: (identity: RotatingIdentity) => void): void => {
    for (const [index, { identity }] of nodes.entries()) {
      const at = requests + (index + 1) * 10;
      void until(() => requests >= at).then(() => change(identity));
    }
  };
  const record = await rollTrust(
    {
      before: createTrustBundle(old.certificates),
      after: createTrustBundle(next.certificates),
      publish: (trust) => staggered((identity) => identity.trust(trust.certificates)),
      switchLeaves: () => staggered((identity) => identity.rotate({ authority: next })),
      participants: () => nodes.flatMap((node) => node.participants),
    },
    { stepTimeoutMs: 20_000, signal: AbortSignal.timeout(25_000) },
  );
  const afterwards = requests + 100;
  await until(() => requests >= afterwards);
  stopped = true;
  await Promise.all(load);

  expect(record.reason).toBeUndefined();
  expect(record.outcome).toBe("complete");
  expect(failures).toEqual([]);
  for (const { rejections, name } of nodes) {
    expect(
      rejections.filter(({ peer }) => peer?.sha256 !== outsider.sha256),
      name,
    ).toEqual([]);
  }

  // The old authority is gone: for a connection that was open all the time, for a new one, and for its servers.
  await expect(outsider.get(first.origin)).rejects.toThrow();
  await expect(createOutsider(old, stack).get(first.origin)).rejects.toThrow();
  await until(() => first.rejections.some(({ code }) => code === "unknown_authority"));
  const impostor = await startNode("impostor", old, stack);
  await expect(first.getWithAgent(impostor.origin)).rejects.toThrow(/certificate/);
});

async function startNode(name: string, authority: TestAuthority, stack: Stack) {
  const identity = stack.use(createRotatingIdentity({ authority, issue: { dnsNames: [name] } }));
  const { source } = identity;
  const rejections: Rejection[] = [];
  const server = https.createServer(serverOptions(source), (_request, response) => {
    response.end(`hello from ${name}`);
  });
  const serving = rotateServer(server, source, {
    authorize: allow.any(),
    drainJitterMs: 200,
    onRejection: (rejection) => void rejections.push(rejection),
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.use({
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await serving[Symbol.asyncDispose]();
    },
  });
  const agent = stack.use(createRotatingAgent(source));
  const dispatcher = stack.use(createRotatingDispatcher(source));
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const participants: RolloverParticipant[] = [
    createRolloverParticipant({
      name: `${name} server`,
      source,
      rotation: serving,
      targets: [origin],
    }),
    createRolloverParticipant({ name: `${name} agent`, source, rotation: agent.rotation }),
    createRolloverParticipant({ name: `${name} fetch`, source, rotation: dispatcher.rotation }),
  ];
  return {
    name,
    identity,
    origin,
    rejections,
    participants,
    getWithAgent: async (url: string) => (await getWithAgent(agent, url)).text,
    async getWithFetch(url: string) {
      const { body } = await dispatcher.request({ origin: url, path: "/", method: "GET" });
      return await body.text();
    },
  };
}

function createOutsider(authority: TestAuthority, stack: Stack) {
  const leaf = authority.issue({ dnsNames: ["outsider"] });
  const agent = new https.Agent({
    keepAlive: true,
    cert: leaf.chainPem,
    key: leaf.keyPem,
    rejectUnauthorized: false,
  });
  stack.use({ [Symbol.asyncDispose]: async () => agent.destroy() });
  return {
    sha256: leaf.certificate.sha256,
    get: async (url: string) => (await getWithAgent(agent, url)).text,
  };
}

interface Stack extends AsyncDisposable {
  use<T extends AsyncDisposable>(value: T): T;
}

function createStack(): Stack {
  const values: AsyncDisposable[] = [];
  return {
    use(value) {
      values.push(value);
      return value;
    },
    async [Symbol.asyncDispose]() {
      for (const value of values.reverse()) await value[Symbol.asyncDispose]();
    },
  };
}
