import { randomInt } from "node:crypto";
import { serialRange } from "./crl-entry.ts";

/** Finds the entry of a serial number among millions, in at most four 32-bit words an entry and no strings. */
export interface SerialIndex {
  /** Offset of the entry; undefined when the serial number has none. */
  find(serial: Uint8Array): number | undefined;
}

/**
 * An open-addressing table over the revocation entries at `offsets`. The hash is seeded, so that a list cannot
 * be written to collide. Of entries with the same serial number the first is found.
 */
export function createSerialIndex(bytes: Uint8Array, offsets: Uint32Array): SerialIndex {
  const mask = 2 ** Math.ceil(Math.log2(offsets.length * 2 + 2)) - 1;
  const seed = randomInt(2 ** 32);
  // Offset 0 is the header of the list, never an entry: it marks a free slot.
  const slots = new Uint32Array(mask + 1);
  const slotOf = (octets: Uint8Array, start: number, length: number): number => {
    let slot = hashOf(octets, start, length, seed) & mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
      if (sameSerial(bytes, slots[slot] ?? 0, octets, start, length)) break;
    }
    return slot;
  };
  for (const offset of offsets) {
    const slot = slotOf(bytes, ...serialRange(bytes, offset));
    if (slots[slot] === 0) slots[slot] = offset;
  }
  return {
    find(serial) {
      const offset = slots[slotOf(serial, 0, serial.length)];
      return offset === 0 ? undefined : offset;
    },
  };
}

function sameSerial(
  bytes: Uint8Array,
  entry: number,
  serial: Uint8Array,
  at: number,
  length: number,
): boolean {
  const [start, own] = serialRange(bytes, entry);
  if (own !== length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== serial[at + i]) return false;
  return true;
}

/** MurmurHash's mixing, an octet at a time. */
function hashOf(bytes: Uint8Array, start: number, length: number, seed: number): number {
  let hash = seed;
  for (let i = start; i < start + length; i++) {
    hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
