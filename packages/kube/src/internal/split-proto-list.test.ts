import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { delimited, enveloped, together, varint } from "../../test/encode-proto.ts";
import { KubeError } from "../error.ts";
import { createProtoListSplitter } from "./split-proto-list.ts";

interface Split {
  readonly items: string[];
  readonly metadata: string;
}

/** With the octets cut at the given places. */
function split(octets: Buffer, cuts: readonly number[] = [], limit = 1e6): Split {
  const splitter = createProtoListSplitter("PodList", limit);
  const items: string[] = [];
  const places = [...new Set(cuts.map((cut) => cut % (octets.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, octets.length]) {
    // A copy that is overwritten afterwards, as a pooled buffer is.
    const chunk = Buffer.from(octets.subarray(from, to));
    splitter.push(chunk, (reader, end) => items.push(reader.take(end).toString("hex")));
    chunk.fill(0);
    from = to;
  }
  return { items, metadata: Buffer.from(splitter.end()).toString("hex") };
}

function listOf(items: readonly Uint8Array[], metadata: Uint8Array = Buffer.from("m")): Buffer {
  // Fields that nobody knows yet, between and after.
  const parts = [
    delimited(1, metadata),
    varint(9, 1),
    ...items.map((item) => delimited(2, item)),
    delimited(7, "x"),
  ];
  return enveloped("v1", "PodList", Buffer.concat(parts));
}

const lists = fc.record({ items: fc.array(fc.uint8Array({ maxLength: 300 })), metadata: fc.uint8Array() });
const cuts = fc.array(fc.nat(), { maxLength: 30 });

describe("the items of a list", () => {
  test("are those that were written, wherever the octets are cut", () => {
    fc.assert(
      fc.property(lists, cuts, ({ items, metadata }, places) => {
        const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
        expect(split(listOf(items, metadata), places)).toEqual({
          items: items.map(hex),
          metadata: hex(metadata),
        });
      }),
      { numRuns: 500 },
    );
  });

  test("octet by octet", () => {
    const octets = listOf([Buffer.from("one"), Buffer.alloc(0), Buffer.alloc(200, 1)]);
    expect(split(octets, [...octets.keys()])).toEqual(split(octets));
  });

  test("may be none, and so may all of the list be", () => {
    expect(split(listOf([])).items).toEqual([]);
    expect(split(enveloped("v1", "PodList", Buffer.alloc(0)))).toEqual({ items: [], metadata: "" });
  });

  test("cut off or altered anywhere throw nothing but a KubeError", () => {
    fc.assert(
      fc.property(lists, cuts, fc.nat(), fc.nat(255), fc.nat(), ({ items }, places, at, octet, length) => {
        const octets = listOf(items);
        octets[at % octets.length] = octet;
        try {
          split(octets.subarray(0, length % (octets.length + 1)), places);
        } catch (error) {
          expect(error).toBeInstanceOf(KubeError);
          expect(error).toMatchObject({ code: "ERR_KUBE_PROTOCOL" });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test("a list that is cut off within its items is not whole", () => {
  const octets = listOf([Buffer.from("one"), Buffer.from("two")]);
  for (let length = 0; length < octets.length - 4; length += 1) {
    expect(() => split(octets.subarray(0, length)), String(length)).toThrow("before it was whole");
  }
});

test.each([
  ["no magic number", Buffer.from('{"kind":"PodList"}'), "malformed"],
  ["another kind", enveloped("v1", "SecretList", Buffer.alloc(0)), "a SecretList in place of a PodList"],
  ["a list of what nobody says", Buffer.concat([Buffer.from("k8s\0"), delimited(2, "")]), "malformed"],
  ["an item beyond the limit", listOf([Buffer.alloc(2000)]), "an object beyond 1000 octets"],
  ["an item beyond its list", enveloped("v1", "PodList", Buffer.from([(2 << 3) | 2, 50])), "malformed"],
  ["a group", enveloped("v1", "PodList", Buffer.alloc(30, (2 << 3) | 3)), "malformed"],
])("%s is refused", (_, octets, message) => {
  expect(() => split(octets, [], 1000)).toThrow(message);
  expect(() => split(octets, [...octets.keys()], 1000)).toThrow(message);
});

test("a length of more than all memory is refused before anything is kept", () => {
  const octets = Buffer.concat([
    enveloped("v1", "PodList", Buffer.alloc(0)).subarray(0, 20),
    together(2, []),
  ]);
  const splitter = createProtoListSplitter("PodList", 1000);
  const huge = Buffer.from([(9 << 3) | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
  expect(() => splitter.push(Buffer.concat([octets.subarray(0, 4), huge]), () => {})).toThrow("beyond 1000");
});
