import {
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/** A generated method with the types of its messages. */
type TypedMethod<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly input: I;
  readonly output: O;
};

/**
 * A generated method as @grpc/grpc-js wants it, for `client.make*Request` and for servers. Malformed messages throw
 * when they are deserialized, which gRPC reports as an INTERNAL error of that call.
 */
export function grpcMethod<I extends DescMessage, O extends DescMessage>(
  method: TypedMethod<I, O>,
): MethodDefinition<MessageShape<I>, MessageShape<O>> {
  const { input, output, methodKind } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    originalName: method.localName,
    requestSerialize: (message) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (octets) => fromBinary(input, octets),
    responseSerialize: (message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (octets) => fromBinary(output, octets),
  };
}

/** A generated service for `server.addService`; handlers go by `FetchX509SVID` or `fetchX509SVID`. */
export function grpcService(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.name, grpcMethod(method)]));
}
