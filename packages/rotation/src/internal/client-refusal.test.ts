import { describe, expect, test } from "vitest";
import { createRotatingIdentity } from "../../test/rotating-identity.ts";
import { RotationError } from "../error.ts";
import { explainRefusal, isConnectionClosed, isRepeatable } from "./client-refusal.ts";

const generation = createRotatingIdentity().source.current();
const failed = (code: string): Error => Object.assign(new Error("as it came"), { code });
const silent = { established: true, bytesRead: 0 };

describe("explainRefusal", () => {
  test.each([
    "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
    "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE",
    "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED",
  ])("%s is the server's verdict on our certificate", (code) => {
    const error = failed(code);
    const explained = explainRefusal(error, { established: false, bytesRead: 0 }, generation);
    expect(explained).toMatchObject({
      code: "ERR_ROTATION_CLIENT_REFUSED",
      cause: error,
      message: expect.stringContaining(`serial ${generation.leaf.serialNumber}`),
    });
  });

  test.each(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"])("%s without a word probably is", (code) => {
    const explained = explainRefusal(failed(code), silent, generation);
    expect(explained).toMatchObject({ code: "ERR_ROTATION_CLIENT_REFUSED" });
    expect(explained.message).toContain("probably");
  });

  test.each([
    ["ECONNRESET", { established: true, bytesRead: 100 }],
    ["ECONNRESET", { established: false, bytesRead: 0 }],
    ["ECONNREFUSED", { established: false, bytesRead: 0 }],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", silent],
    ["ABORT_ERR", silent],
  ])("%s %o is left as it is", (code, connection) => {
    const error = failed(code);
    expect(explainRefusal(error, connection, generation)).toBe(error);
  });

  test("our own errors are left as they are", () => {
    const error = new RotationError("ERR_ROTATION_SERVER_REFUSED", "server x is not trusted");
    expect(explainRefusal(error, silent, generation)).toBe(error);
  });
});

test.each([
  ["GET", undefined, true],
  ["get", null, true],
  ["PUT", "text", true],
  ["DELETE", new Uint8Array(1), true],
  ["PUT", new ReadableStream(), false],
  ["POST", undefined, false],
  ["PATCH", "text", false],
])("%s with body %o repeatable: %s", (method, body, expected) => {
  expect(isRepeatable(method, body)).toBe(expected);
});

test("a connection that was closed is told from a request that was aborted", () => {
  expect(isConnectionClosed(failed("UND_ERR_SOCKET"))).toBe(true);
  expect(isConnectionClosed(new Error('HTTP/2: "GOAWAY" frame received with code 0'))).toBe(true);
  expect(isConnectionClosed(failed("ABORT_ERR"))).toBe(false);
  expect(isConnectionClosed("text")).toBe(false);
});
