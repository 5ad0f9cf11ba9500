import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { SpiffeError } from "../error.ts";

/** The message, or ERR_SPIFFE_WORKLOAD_API for octets that are none. */
export function decodeMessage<D extends DescMessage>(schema: D, octets: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, octets);
  } catch (cause) {
    // Protobuf has no error of its own: also TypeError and RangeError say here that the octets are no message.
    const why = cause instanceof Error ? cause.message : "malformed";
    const message = `the Workload API's message is discarded: it is no ${schema.name}: ${why}`;
    throw new SpiffeError("ERR_SPIFFE_WORKLOAD_API", message, { cause });
  }
}
