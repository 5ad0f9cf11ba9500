import https from "node:https";
import tls from "node:tls";
import { issueIntermediate } from "@newleaf/x509";
import { expect, test } from "vitest";
import { type Clock, systemClock } from "../src/clock.ts";
import { peerOf } from "../src/verified-peer.ts";
import { startHoldingRelay } from "./held-connection.ts";
import {
  type Credentials,
  closeOf,
  createAuthority,
  createIdentity,
  crl,
  get,
  HOUR,
  issue,
  startServer,
  type TestServer,
  within,
} from "./server-fixture.ts";
import { until } from "./waiting.ts";

/** Says who came and whether by a ticket, then closes. */
const hello = (socket: tls.TLSSocket): void => {
  const peer = peerOf(socket);
  socket.end(`${peer?.dnsNames.join()} ${peer?.resumed}`);
};

interface Visit {
  readonly said: string;
  readonly session: Buffer | undefined;
}

/** One connection; what the server said is empty when it refused. The last session is the freshest. */
async function visit(port: number, options: tls.ConnectionOptions): Promise<Visit> {
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  let said = "";
  let session: Buffer | undefined;
  socket.on("session", (ticket) => {
    session = ticket;
  });
  socket.on("error", () => {});
  socket.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  await within(5_000, "not closed", closeOf(socket));
  return { said, session };
}

/** A client with a ticket that works: it was let in with its certificate, and once by a ticket. */
async function withTicket(server: TestServer, credentials: Credentials): Promise<tls.ConnectionOptions> {
  const full = await visit(server.port, credentials);
  expect(full.said).toBe("frontend false");
  const resumed = await visit(server.port, { ...credentials, session: full.session });
  expect(resumed.said).toBe("frontend true");
  expect(server.rotation.stats().handshakes).toEqual({ full: 1, resumed: 1 });
  await until(() => server.rotation.stats().connections === 0);
  return { ...credentials, session: resumed.session ?? full.session };
}

function shiftedClock(): Clock & { shift(ms: number): void } {
  let shifted = 0;
  return {
    now: () => Date.now() + shifted,
    setTimeout: (callback, ms) => systemClock.setTimeout(callback, ms),
    shift: (ms) => {
      shifted += ms;
    },
  };
}

test("a ticket lets its owner back in, also one whose intermediates are needed", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { kind: "tls", handler: hello });
  const intermediate = issueIntermediate(identity.authority, {
    subject: "CN=intermediate",
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + HOUR),
  });
  await withTicket(server, issue(intermediate, {}, [intermediate.certificate]));
  expect(server.rejections).toEqual([]);
});

test("session resumed after the certificate expired", async () => {
  const clock = shiftedClock();
  const identity = createIdentity({ clock });
  await using server = await startServer(identity.source, { kind: "tls", handler: hello, clock });
  const client = issue(identity.authority, { notAfter: new Date(Date.now() + 60_000) });
  const back = await withTicket(server, client);
  clock.shift(61_000);
  expect((await visit(server.port, back)).said).toBe("");
  expect(await server.rejected()).toMatchObject({
    code: "expired",
    resumed: true,
    peer: { serialNumber: client.certificate.serialNumber },
  });
});

test("session resumed after expiry without even offering a certificate", async () => {
  const clock = shiftedClock();
  const identity = createIdentity({ clock });
  await using server = await startServer(identity.source, { kind: "tls", handler: hello, clock });
  const client = issue(identity.authority, { notAfter: new Date(Date.now() + 60_000) });
  const { session } = await withTicket(server, client);
  clock.shift(61_000);
  expect((await visit(server.port, { session })).said).toBe("");
  expect(await server.rejected()).toMatchObject({ code: "expired", resumed: true });
});

test("session resumed after the authorizer changed its mind", async () => {
  const identity = createIdentity();
  let allowed = true;
  await using server = await startServer(identity.source, {
    kind: "tls",
    handler: hello,
    authorize: () => allowed,
  });
  const back = await withTicket(server, issue(identity.authority));
  allowed = false;
  expect((await visit(server.port, back)).said).toBe("");
  expect(await server.rejected()).toMatchObject({ code: "not_allowed", resumed: true });
});

test("session resumed after revocation", async () => {
  const authority = createAuthority();
  const client = issue(authority);
  const identity = createIdentity({ authority, crls: [crl(authority, [], 1)] });
  await using server = await startServer(identity.source, { kind: "tls", handler: hello });
  const back = await withTicket(server, client);
  await loaded(server, identity.rotate({ crls: [crl(authority, [client.certificate], 2)] }).number);
  expect((await visit(server.port, back)).said).toBe("");
  // The ticket is of a generation that is no more, so that the certificate had to be shown.
  expect(await server.rejected()).toMatchObject({ code: "revoked", resumed: false });
});

test("session resumed after trust was removed", async () => {
  const identity = createIdentity();
  const other = createAuthority("other");
  identity.rotate({ trust: [identity.authority.certificate, other.certificate] });
  await using server = await startServer(identity.source, { kind: "tls", handler: hello });
  const back = await withTicket(server, issue(other));
  await loaded(server, identity.rotate({ trust: [identity.authority.certificate] }).number);
  expect((await visit(server.port, back)).said).toBe("");
  expect(await server.rejected()).toMatchObject({ code: "unknown_authority", resumed: false });
});

test.each(["revoked", "unknown_authority"])(
  "%s between the ticket's acceptance and the end of the handshake",
  async (code) => {
    const authority = createAuthority();
    const other = createAuthority("other");
    const client = issue(other);
    const identity = createIdentity({
      authority,
      trust: [authority.certificate, other.certificate],
      crls: [crl(authority, [], 1), crl(other, [], 1)],
    });
    await using server = await startServer(identity.source, { kind: "tls", handler: hello });
    const back = await withTicket(server, client);
    await using relay = await startHoldingRelay(server.port, 1);
    const visiting = visit(relay.port, back);
    await relay.held;
    const update =
      code === "revoked"
        ? { crls: [crl(authority, [], 2), crl(other, [client.certificate], 2)] }
        : { trust: [authority.certificate] };
    await loaded(server, identity.rotate(update).number);
    relay.release();
    expect((await visiting).said).toBe("");
    expect(await server.rejected()).toMatchObject({ code, resumed: true });
  },
);

test("a ticket of the generation before is a full handshake, not an error", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, { kind: "tls", handler: hello });
  const back = await withTicket(server, issue(identity.authority));
  await loaded(server, identity.rotate().number);
  expect((await visit(server.port, back)).said).toBe("frontend false");
  expect(server.rejections).toEqual([]);
});

test("https agents resume on their own", async () => {
  const identity = createIdentity();
  await using server = await startServer(identity.source, {
    handler: (request: { socket: tls.TLSSocket }, response: { end(text: string): void }) =>
      response.end(String(peerOf(request.socket)?.resumed)),
  });
  const agent = new https.Agent({ maxCachedSessions: 10 });
  const client = issue(identity.authority);
  const bodies: string[] = [];
  for (let count = 0; count < 5; count++) {
    bodies.push((await get(server.port, { ...client, agent })).body);
  }
  expect(bodies).toEqual(["false", "true", "true", "true", "true"]);
});

async function loaded(server: TestServer, generation: number): Promise<void> {
  await within(5_000, "not served", server.rotation.whenServed(generation));
}
