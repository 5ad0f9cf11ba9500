import { once } from "node:events";
import { createServer } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { createTestAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { classify, lookAtTarget } from "./look-at-target.ts";

test.each([
  ["connect ECONNREFUSED 127.0.0.1:1", "nothing_listens"],
  ["connect ENOENT /run/db.sock", "nothing_listens"],
  ["getaddrinfo ENOTFOUND db", "name_not_found"],
  ["getaddrinfo EAI_AGAIN db", "name_not_found"],
  ["not done within 5000 ms", "no_answer"],
  ["connect EHOSTUNREACH 10.0.0.1:5432", "no_answer"],
  ['the server does not speak TLS (answered "N" to the SSLRequest: ssl is off)', "no_tls"],
  ["read ECONNRESET", "no_handshake"],
  ["Client network socket disconnected before secure TLS connection was established", "no_handshake"],
])("%s: %s", (message, reason) => {
  expect(classify(message)).toEqual({ reason, message });
});

test("OpenSSL's place in its own source is left out", () => {
  const text =
    "40B1C3D5E7F9:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../ssl/record.c:354:";
  expect(classify(`8022${text}\n`)).toEqual({ reason: "no_tls", message: "wrong version number" });
});

const options = {
  stored: undefined,
  client: undefined,
  servername: undefined,
  timeoutMs: 5_000,
  signal: new AbortController().signal,
};

test("plain HTTP where TLS was expected, and a name that does not exist", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await lookAtTarget(`https://127.0.0.1:${port}`, options)).toMatchObject([
    { unreached: { reason: "no_tls" } },
  ]);
  server.close();
  expect(await lookAtTarget("https://frontend.invalid", options)).toMatchObject([
    { name: "https://frontend.invalid:443", unreached: { reason: "name_not_found" } },
  ]);
});

test("a server that shows its certificate and then closes without an answer, as Node.js does to a client it refuses", async () => {
  const { chainPem, keyPem } = createTestAuthority().issue({ dnsNames: ["localhost"] });
  const server = tls
    .createServer({ cert: chainPem, key: keyPem }, (socket) => socket.destroy())
    .listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await lookAtTarget(url, options)).toMatchObject([{ http: { failure: "closed" } }]);
  server.close();
});

test("the status of an HTTPS service is asked for at the path given", async () => {
  const { chainPem, keyPem, certificate } = createTestAuthority().issue({ dnsNames: ["localhost"] });
  const server = https
    .createServer({ cert: chainPem, key: keyPem }, (request, response) => {
      response.statusCode = request.url === "/ready?full" ? 503 : 200;
      response.end();
    })
    .listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const known = { ...options, stored: certificate };
  expect(await lookAtTarget(`${url}/ready?full`, known)).toMatchObject([
    { http: { status: 503 }, served: { against: "equal" } },
  ]);
  const [healthy] = await lookAtTarget(url, options);
  expect(healthy).toMatchObject({ http: { status: 200 } });
  expect(healthy?.served?.against).toBeUndefined();
  server.close();
});
