import { KubeError } from "../error.ts";
import { status } from "./api-messages.ts";
import { decodeMessage } from "./decode-message.ts";
import { createShape } from "./object-shape.ts";
import { message, one } from "./proto-message.ts";
import { malformed } from "./proto-reader.ts";
import type { WireStatus } from "./read-answer.ts";

/** What an object in protobuf begins with, so that it is told from JSON and YAML; a runtime.Unknown follows. */
export const MAGIC: Buffer = Buffer.from("k8s\0");

/** The object's own octets, which do not say what they are: ERR_KUBE_PROTOCOL when it is not of that kind. */
export function unwrap(bytes: Buffer, kind?: string): Buffer {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed();
  const { typeMeta, raw = EMPTY } = decodeMessage(bytes.subarray(MAGIC.length), UNKNOWN) as {
    readonly typeMeta?: Buffer;
    readonly raw?: Buffer;
  };
  if (kind !== undefined) checkKind(typeMeta ?? EMPTY, kind);
  return raw;
}

export function checkKind(typeMeta: Buffer, kind: string): void {
  const found = decodeMessage(typeMeta, TYPE_META).kind;
  if (found === kind) return;
  throw new KubeError("ERR_KUBE_PROTOCOL", `an answer with a ${found ?? "thing"} in place of a ${kind}`);
}

/** A meta/v1 Status, or undefined for what is none. */
export function decodeStatus(bytes: Buffer): WireStatus | undefined {
  try {
    return { kind: "Status", ...decodeMessage(unwrap(bytes, "Status"), STATUS) };
  } catch (error) {
    if (error instanceof KubeError) return undefined;
    throw error;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
const UNKNOWN = createShape(message({ typeMeta: one(1, "octets"), raw: one(2, "octets") }), true);
const TYPE_META = createShape(message({ apiVersion: one(1, "string"), kind: one(2, "string") }), true);
const STATUS = createShape(status, true);
