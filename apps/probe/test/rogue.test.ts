import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";
import { createTestAuthority, type TestAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { type RogueResult, tryRogue } from "../src/rogue.ts";
import { parseProbeTarget } from "../src/target-url.ts";

const authority = createTestAuthority();

async function startHttps(authority: TestAuthority, options: TlsOptions) {
  const { chainPem, keyPem } = authority.issue();
  const server = createServer(
    { cert: chainPem, key: keyPem, ca: authority.trustPem, ...options },
    (_request, response) => response.end("let in"),
  );
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    target: parseProbeTarget(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const verdicts = (results: readonly RogueResult[]) =>
  Object.fromEntries(results.map(({ row, verdict }) => [row, verdict]));

test("a server that asks nobody for a certificate lets everyone in, and is told so", async () => {
  await using lax = await startHttps(authority, { handshakeTimeout: 300 });
  const report = await tryRogue({
    target: lax.target,
    timeoutMs: 5_000,
    signal: AbortSignal.timeout(30_000),
  });
  expect(report.ok).toBe(false);
  expect(verdicts(report.results)).toMatchObject({
    control: "skipped",
    no_certificate: "let_in",
    unknown_authority: "let_in",
    impostor_authority: "let_in",
    foreign_expired: "let_in",
    foreign_ca_as_leaf: "let_in",
    expired: "skipped",
    plain_http: "refused",
    not_tls: "refused",
    handshake_timeout: "refused",
  });
});

test("with the authority at hand, Node's own checks are seen to let the expired session back in", async () => {
  const server = await startHttps(authority, {
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
    handshakeTimeout: 300,
  });
  await using _server = server;
  const report = await tryRogue({
    target: server.target,
    authority: authority.root,
    timeoutMs: 5_000,
    signal: AbortSignal.timeout(30_000),
  });
  expect(verdicts(report.results)).toMatchObject({
    no_certificate: "refused",
    unknown_authority: "refused",
    impostor_authority: "refused",
    expired: "refused",
    not_yet_valid: "refused",
    wrong_usage: "refused",
    chain_incomplete: "refused",
    // Plain Node knows neither names nor leaves, and resumes whoever has a ticket.
    not_allowed: "let_in",
    ca_as_leaf: "let_in",
    resumed_after_expiry: "let_in",
    revoked: "skipped",
    unsupported_protocol: "skipped",
  });
  const seen = Object.fromEntries(report.results.map((result) => [result.row, result.seen]));
  expect(seen).toMatchObject({
    no_certificate: "alert certificate required",
    revoked: "needs --revoked",
    unsupported_protocol: "needs --certs",
  });
});

test("nobody there is neither refused nor let in", async () => {
  const target = parseProbeTarget("https://127.0.0.1:1/");
  const report = await tryRogue({ target, timeoutMs: 2_000, signal: AbortSignal.timeout(30_000) });
  expect(report.ok).toBe(false);
  expect(new Set(Object.values(verdicts(report.results)))).toEqual(new Set(["skipped", "unreachable"]));
});

test("a server that never gives up on a handshake is told so", async () => {
  await using patient = await startHttps(authority, { handshakeTimeout: 120_000 });
  const report = await tryRogue({
    target: patient.target,
    timeoutMs: 5_000,
    handshakeMs: 300,
    signal: AbortSignal.timeout(30_000),
  });
  expect(report.results.at(-1)).toMatchObject({
    row: "handshake_timeout",
    verdict: "let_in",
    seen: "still open at our deadline",
  });
});
