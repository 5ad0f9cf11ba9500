import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { delimited, enveloped, frame, together, varint } from "../../test/encode-proto.ts";
import { KubeError } from "../error.ts";
import type { KubeObject } from "../kube-object.ts";
import type { WireEvent } from "./event-reader.ts";
import { ProtoEvents } from "./proto-events.ts";

const LIMIT = 1000;

function read(octets: Buffer, cuts: readonly number[] = []): WireEvent<KubeObject>[] {
  const reader = new ProtoEvents<KubeObject>({ what: "GET pods", maxEventBytes: LIMIT }, (object) => ({
    kind: object.toString(),
  }));
  const found: WireEvent<KubeObject>[] = [];
  const places = [...new Set(cuts.map((cut) => cut % (octets.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, octets.length]) {
    reader.push(octets.subarray(from, to));
    for (let event = reader.next(); event !== undefined; event = reader.next()) found.push(event);
    from = to;
  }
  reader.end();
  return found;
}

const objectMeta = [
  delimited(6, "9"),
  together(12, [delimited(1, "k8s.io/initial-events-end"), delimited(2, "true")]),
];
const bookmark = enveloped("v1", "Pod", together(1, objectMeta));
const expired = enveloped(
  "v1",
  "Status",
  Buffer.concat([delimited(2, "Failure"), delimited(3, "too old"), delimited(4, "Expired"), varint(6, 410)]),
);

describe("events", () => {
  test("come whole wherever the octets are cut", () => {
    const kinds = fc.array(fc.string({ maxLength: 60 }));
    const cuts = fc.array(fc.nat(), { maxLength: 20 });
    fc.assert(
      fc.property(kinds, cuts, (names, places) => {
        const octets = Buffer.concat(names.map((name) => frame("ADDED", Buffer.from(name))));
        const expected = names.map((name) => ({
          type: "ADDED",
          object: { kind: Buffer.from(name).toString() },
        }));
        expect(read(octets, places)).toEqual(expected);
      }),
    );
  });

  test("are bookmarks and errors too", () => {
    expect(read(Buffer.concat([frame("BOOKMARK", bookmark), frame("ERROR", expired)]))).toEqual([
      {
        type: "BOOKMARK",
        object: {
          metadata: { resourceVersion: "9", annotations: { "k8s.io/initial-events-end": "true" } },
        },
      },
      { type: "ERROR", object: { kind: "Status", message: "too old", reason: "Expired", code: 410 } },
    ]);
  });

  test("altered anywhere throw nothing but a KubeError", () => {
    const octets = Buffer.concat([frame("BOOKMARK", bookmark), frame("ERROR", expired)]);
    fc.assert(
      fc.property(fc.nat(octets.length - 1), fc.nat(255), (at, octet) => {
        const altered = Buffer.from(octets);
        altered[at] = octet;
        try {
          read(altered);
        } catch (error) {
          expect(error).toBeInstanceOf(KubeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test.each([
  ["half a length", Buffer.from([0, 0]), "ERR_KUBE_UNREACHABLE"],
  ["half an event", frame("ADDED", Buffer.from("a")).subarray(0, -1), "ERR_KUBE_UNREACHABLE"],
  ["an event beyond the limit", Buffer.from([0, 0, 4, 0]), "ERR_KUBE_PROTOCOL"],
  ["JSON", Buffer.from('{"type":"ADDED","object":{}}\n'), "ERR_KUBE_PROTOCOL"],
  ["an unknown type", frame("NEWS", bookmark), "ERR_KUBE_PROTOCOL"],
  ["an error that is no Status", frame("ERROR", bookmark), "ERR_KUBE_PROTOCOL"],
  ["a bookmark without its envelope", frame("BOOKMARK", Buffer.from("none")), "ERR_KUBE_PROTOCOL"],
])("%s is refused", (_, octets, code) => {
  expect(() => read(octets)).toThrow(expect.objectContaining({ code }));
});
