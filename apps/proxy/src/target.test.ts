import { expect, test } from "vitest";
import { formatListenAddress, isLocal, parseListenAddress } from "./listener.ts";
import { parseClientTarget, parseServerTarget } from "./target.ts";

test.each([
  ["http://127.0.0.1:8080", { kind: "http", host: "127.0.0.1", port: 8080 }],
  ["http://backend", { kind: "http", host: "backend", port: 80 }],
  ["http://[::1]:8080/", { kind: "http", host: "::1", port: 8080 }],
  ["tcp://db:5432", { kind: "bytes", connect: { host: "db", port: 5432 } }],
  ["unix:/run/app.sock", { kind: "bytes", connect: { path: "/run/app.sock" } }],
  ["unix:///run/app.sock", { kind: "bytes", connect: { path: "/run/app.sock" } }],
  ["builtin:hello", { kind: "hello" }],
])("server target %s", (text, target) => {
  expect(parseServerTarget(text)).toEqual({ ...target, name: text });
});

test.each([
  ["https://backend", { kind: "https", host: "backend", port: 443, authority: "backend" }],
  ["https://backend:8443", { kind: "https", host: "backend", port: 8443, authority: "backend:8443" }],
  ["tls://[::1]:5432", { kind: "tls", host: "::1", port: 5432, authority: "[::1]:5432" }],
])("client target %s", (text, target) => {
  expect(parseClientTarget(text)).toEqual({ ...target, name: text });
});

test.each([
  ["127.0.0.1:80", true],
  ["localhost:80", true],
  ["[::1]:80", true],
  ["unix:/run/s", true],
  [":80", false],
  ["0.0.0.0:80", false],
  ["10.0.0.1:80", false],
])("plain text on %s is local: %s", (text, local) => {
  expect(isLocal(parseListenAddress(text))).toBe(local);
});

test("addresses are written as they are read", () => {
  for (const text of ["127.0.0.1:80", "[::1]:80", "unix:/run/s"]) {
    expect(formatListenAddress(parseListenAddress(text))).toBe(text);
  }
});
