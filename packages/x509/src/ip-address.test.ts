import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIpAddress, maskOf, parseIpAddress, prefixLength } from "./ip-address.ts";

describe("IPv6 in the form of RFC 5952", () => {
  test.each([
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::ffff:1.2.3.4", "::ffff:102:304"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ])("%s", (text, canonical) => {
    expect(formatIpAddress(parseIpAddress(text) ?? new Uint8Array())).toBe(canonical);
  });

  test("as the URL parser has it", () => {
    fc.assert(
      fc.property(
        fc.ipV6().filter((text) => isIP(text) === 6),
        (text) => {
          const own = formatIpAddress(parseIpAddress(text) ?? new Uint8Array());
          expect(`[${own}]`).toBe(new URL(`http://[${text}]/`).host);
        },
      ),
    );
  });
});

test("what is written is read", () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc
      .array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 })
      .map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(octets, (address) => {
      expect(parseIpAddress(formatIpAddress(address))).toEqual(address);
    }),
  );
});

test.each([
  "",
  "1.2.3",
  "1.2.3.4.5",
  "256.1.1.1",
  "01.2.3.4",
  "fe80::1%eth0",
  "1::2::3",
  ":::",
  "g::1",
  "1.2.3.4/8",
  "a",
])("not an address: %s", (text) => {
  expect(parseIpAddress(text)).toBeUndefined();
});

test("masks are prefixes", () => {
  for (const length of [4, 16]) {
    for (let prefix = 0; prefix <= length * 8; prefix++)
      expect(prefixLength(maskOf(prefix, length))).toBe(prefix);
  }
  expect(prefixLength(Uint8Array.of(255, 0, 255, 0))).toBeUndefined();
  expect(prefixLength(Uint8Array.of(0, 0, 0, 1))).toBeUndefined();
});
