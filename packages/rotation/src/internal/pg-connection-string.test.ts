import { describe, expect, test } from "vitest";
import { refuseUnixSocket, withoutTlsParameters } from "./pg-connection-string.ts";

describe("withoutTlsParameters", () => {
  test.each([
    ["postgres://app@db/shop", "postgres://app@db/shop"],
    ["postgres://app@db/shop?sslmode=verify-full", "postgres://app@db/shop"],
    [
      "postgres://app@db/shop?sslmode=require&application_name=a%20b&ssl=true",
      "postgres://app@db/shop?application_name=a+b",
    ],
    ["postgres://db?sslnegotiation=direct", "postgres://db?sslnegotiation=direct"],
  ])("%s becomes %s", (given, left) => {
    expect(withoutTlsParameters(given)).toBe(left);
  });

  test.each([
    "postgres://db?sslmode=disable",
    "postgres://db?sslmode=no-verify",
    "postgres://db?ssl=0",
    "postgres://db?ssl=false",
    "postgres://db?sslmode=verify-full&sslcert=/tls.crt",
    "postgres://db?sslrootcert=/ca.crt",
    "postgres://db?sslmode=verify-full&sslmode=disable",
    "/var/run/postgresql shop",
    "socket:/var/run/postgresql?db=shop",
    "postgres://%2Fvar%2Frun/shop",
    "postgres:///shop?host=/var/run/postgresql",
  ])("%s contradicts the identity", (given) => {
    expect(() => withoutTlsParameters(given)).toThrow(
      expect.objectContaining({ code: "ERR_ROTATION_OPTIONS" }),
    );
  });

  test("the password is not in the error", () => {
    expect(() => withoutTlsParameters("postgres://app:hunter2@db?sslmode=disable")).toThrow(
      /^(?!.*hunter2).*sslmode=disable/,
    );
  });
});

test("a host that is a path has no TLS", () => {
  expect(() => refuseUnixSocket("/var/run/postgresql")).toThrow("unix socket");
  expect(() => refuseUnixSocket("db")).not.toThrow();
});
