/** A field of protobuf, written as the API server writes it. */
export function varint(number: number, value: number | bigint): Buffer {
  return Buffer.concat([varintOf(BigInt(number) << 3n), varintOf(BigInt(value))]);
}

export function delimited(number: number, value: string | Uint8Array): Buffer {
  const octets = Buffer.from(value);
  return Buffer.concat([varintOf((BigInt(number) << 3n) | 2n), varintOf(BigInt(octets.length)), octets]);
}

export function fixed(number: number, octets: 4 | 8): Buffer {
  return Buffer.concat([
    varintOf((BigInt(number) << 3n) | (octets === 8 ? 1n : 5n)),
    Buffer.alloc(octets, 0xff),
  ]);
}

export function together(number: number, parts: readonly Uint8Array[]): Buffer {
  return delimited(number, Buffer.concat(parts));
}

/** A map's members, each a message of its own. */
export function entries(number: number, map: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(map).map(([key, value]) => together(number, [delimited(1, key), delimited(2, value)])),
  );
}

/** The magic number and a runtime.Unknown. */
export function enveloped(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  const typeMeta = together(1, [delimited(1, apiVersion), delimited(2, kind)]);
  return Buffer.concat([
    Buffer.from("k8s\0"),
    typeMeta,
    delimited(2, raw),
    delimited(3, ""),
    delimited(4, ""),
  ]);
}

/** A WatchEvent after its length. */
export function frame(type: string, object: Uint8Array): Buffer {
  const event = Buffer.concat([delimited(1, type), together(2, [delimited(1, object)])]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}

/** As int64 is written: of 64 bits, the lowest seven first. */
function varintOf(value: bigint): Buffer {
  const octets: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) octets.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...octets, Number(rest)]);
}
