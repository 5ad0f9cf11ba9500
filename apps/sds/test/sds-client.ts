import { create, fromBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  grpcMethod,
  type Secret,
  SecretDiscoveryService,
  SecretSchema,
} from "@newleaf/proto";

/** A stream of a real gRPC client, read at the pace of the test. */
interface TestStream<Q, R> {
  send(request: Partial<Q>): void;
  /** The next response; rejects at the deadline and when the stream ends before. */
  next(timeoutMs?: number): Promise<R>;
  /** Responses that have come and were not read yet. */
  readonly waiting: number;
  /** How the stream ended. */
  readonly ended: Promise<{ readonly code: number; readonly details: string }>;
  pause(): void;
  resume(): void;
  cancel(): void;
}

export interface SdsClient extends Disposable {
  sotw(): TestStream<DiscoveryRequest, DiscoveryResponse>;
  delta(): TestStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  fetch(request: Partial<DiscoveryRequest>): Promise<DiscoveryResponse>;
}

const { streamSecrets, deltaSecrets, fetchSecrets } = SecretDiscoveryService.method;

export function connectSds(target: string, channel = credentials.createInsecure()): SdsClient {
  const client = new Client(target, channel, { "grpc.initial_reconnect_backoff_ms": 50 });
  const open = <Q, R>(method: ReturnType<typeof grpcMethod>): ClientDuplexStream<Q, R> =>
    client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize) as never;
  return {
    sotw: () =>
      wrap(open<DiscoveryRequest, DiscoveryResponse>(grpcMethod(streamSecrets) as never), (fields) =>
        create(DiscoveryRequestSchema, fields as object),
      ),
    delta: () =>
      wrap(open<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(grpcMethod(deltaSecrets) as never), (fields) =>
        create(DeltaDiscoveryRequestSchema, fields as object),
      ),
    fetch: (fields) =>
      new Promise((resolve, reject) => {
        const method = grpcMethod(fetchSecrets);
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          create(DiscoveryRequestSchema, fields as object),
          (error, response) => (error || !response ? reject(error) : resolve(response)),
        );
      }),
    [Symbol.dispose]: () => client.close(),
  };
}

function wrap<Q, R>(call: ClientDuplexStream<Q, R>, build: (fields: Partial<Q>) => Q): TestStream<Q, R> {
  const responses: R[] = [];
  const readers: { resolve(response: R): void; reject(error: Error): void }[] = [];
  call.on("data", (response: R) => {
    const reader = readers.shift();
    if (reader) reader.resolve(response);
    else responses.push(response);
  });
  const ended = new Promise<{ code: number; details: string }>((resolve) => {
    call.on("error", ({ code, details }: ServiceError) => resolve({ code, details }));
    call.on("status", ({ code, details }) => resolve({ code, details }));
  });
  void ended.then(({ code, details }) => {
    for (const { reject } of readers.splice(0)) reject(new Error(`stream ended: ${code} ${details}`));
  });
  return {
    send: (fields) => void call.write(build(fields)),
    next: (timeoutMs = 5_000) =>
      new Promise((resolve, reject) => {
        const response = responses.shift();
        if (response !== undefined) return resolve(response);
        const reader = {
          resolve: (value: R) => {
            clearTimeout(timer);
            resolve(value);
          },
          reject: (error: Error) => {
            clearTimeout(timer);
            reject(error);
          },
        };
        const timer = setTimeout(() => {
          readers.splice(readers.indexOf(reader), 1);
          reject(new Error("no response in time"));
        }, timeoutMs);
        readers.push(reader);
      }),
    get waiting() {
      return responses.length;
    },
    ended,
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    cancel: () => call.cancel(),
  };
}

/** The secrets of a response, by name. */
export function secretsOf(response: DiscoveryResponse | DeltaDiscoveryResponse): ReadonlyMap<string, Secret> {
  return new Map(
    response.resources.map((each) => {
      const { value } = "resource" in each ? each.resource! : (each as Any);
      const secret = fromBinary(SecretSchema, value);
      return [secret.name, secret];
    }),
  );
}

/** Inline text of a part of a secret. */
export function inlineText(
  source: { specifier: { case?: string | undefined; value?: unknown } } | undefined,
): string {
  return Buffer.from(source?.specifier.value as Uint8Array).toString();
}
