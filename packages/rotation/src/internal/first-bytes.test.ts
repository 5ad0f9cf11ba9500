import { expect, test } from "vitest";
import { classifyOpening } from "./first-bytes.ts";

test.each([
  ["", "more"],
  ["\x16", "more"],
  ["\x16\x03\x01\x02\x00", "tls"],
  ["\x16\x04", "other"],
  ["G", "more"],
  ["GET", "more"],
  ["GET / HTTP/1.1", "http"],
  ["GETS", "other"],
  ["OPTIONS", "more"],
  ["OPTIONS * HTTP/1.1", "http"],
  ["PRI * HTTP/2.0", "http"],
  ["CONNECT x:1", "http"],
  ["get / http/1.1", "other"],
  ["\x80\x2e\x01\x03\x01", "other"],
  ["SSH-2.0-x", "other"],
  ["\x00\x00\x00\x08\x04\xd2\x16\x2f", "other"],
])("%j is %s", (octets, opening) => {
  expect(classifyOpening(Buffer.from(octets, "latin1"))).toBe(opening);
});
