import type { handleUnaryCall, MethodDefinition } from "@grpc/grpc-js";

/** What a generator would make of a .proto file; texts stand in for its messages. */
export const greeter = { hello: unary("/shop.Greeter/Hello") };

/** The shape of its implementation. */
export type Greeter = { hello: handleUnaryCall<string, string> };

function unary(path: string): MethodDefinition<string, string> {
  const [serialize, deserialize] = [(message: string) => Buffer.from(message), String];
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  };
}
