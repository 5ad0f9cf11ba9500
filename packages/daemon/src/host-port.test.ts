import { expect, test } from "vitest";
import { formatHostPort, isLoopback, parseHostPort } from "./host-port.ts";

test.each([
  ["127.0.0.1:8443", { host: "127.0.0.1", port: 8443 }],
  ["[::1]:8443", { host: "::1", port: 8443 }],
  [":8443", { host: "::", port: 8443 }],
  ["backend.shop.svc:443", { host: "backend.shop.svc", port: 443 }],
  ["localhost:0", { host: "localhost", port: 0 }],
])("%s", (text, address) => {
  expect(parseHostPort(text)).toEqual(address);
  expect(parseHostPort(formatHostPort(address))).toEqual(address);
});

test.each(["", "8443", "localhost", "::1:8443", "[nonsense]:1", "a:99999", "a:b", "a b:1"])(
  "%j is refused",
  (text) => {
    expect(() => parseHostPort(text)).toThrow(expect.objectContaining({ code: "ERR_DAEMON_CONFIG" }));
  },
);

test("loopback is this machine only", () => {
  expect(["127.0.0.1", "127.8.8.8", "::1", "localhost"].every(isLoopback)).toBe(true);
  expect(["0.0.0.0", "::", "10.0.0.1", "127.example.com"].some(isLoopback)).toBe(false);
});
