import {
  Client,
  type ClientOptions,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { Clock } from "@newleaf/rotation";

/** How to reach the Workload API, and how long and how much it may answer. */
export interface WorkloadEndpoint {
  /** As @grpc/grpc-js wants it. */
  readonly target: string;
  readonly maxMessageBytes: number;
  readonly answerTimeoutMs: number;
  readonly clock: Clock;
}

/** Of a method all that a request needs: responses are decoded elsewhere. */
export type RequestMethod<Q> = Pick<MethodDefinition<Q, never>, "path" | "requestSerialize">;

/**
 * The messages of one stream, undecoded, over a connection of its own: one that hangs can be thrown away, and the next
 * attempt meets neither a socket file that was replaced nor a backoff of the channel's. Throws the ServiceError that
 * it ends with; ends without when the server closes it, or with the signal.
 */
export async function* streamCall<Q>(
  endpoint: WorkloadEndpoint,
  method: RequestMethod<Q>,
  request: Q,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  if (signal.aborted) return;
  const client = connect(endpoint);
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    (octets) => octets,
    request,
    header(),
  );
  const stop = (): void => call.cancel();
  let late = false;
  const timer = endpoint.clock.setTimeout(() => {
    late = true;
    call.cancel();
  }, endpoint.answerTimeoutMs);
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const octets of call) {
      timer.cancel();
      yield octets as Buffer;
    }
  } catch (error) {
    if (!signal.aborted) throw late ? tooLate(endpoint) : error;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", stop);
    // An error that the cancelled call reports after its reader has gone.
    call.on("error", () => {});
    call.cancel();
    client.close();
  }
}

/** One question, one answer, over a connection of its own. Rejects with a ServiceError, or with the signal's reason. */
export async function unaryCall<Q, A>(
  endpoint: WorkloadEndpoint,
  method: MethodDefinition<Q, A>,
  request: Q,
  signal: AbortSignal | undefined,
): Promise<A> {
  signal?.throwIfAborted();
  const client = connect(endpoint);
  let cancel = (): void => {};
  let late = false;
  const timer = endpoint.clock.setTimeout(() => {
    late = true;
    cancel();
  }, endpoint.answerTimeoutMs);
  const stop = (): void => cancel();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<A>((resolve, reject) => {
      const call = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        header(),
        (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
      );
      cancel = () => call.cancel();
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw late ? tooLate(endpoint) : error;
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", stop);
    client.close();
  }
}

function connect({ target, maxMessageBytes }: WorkloadEndpoint): Client {
  const options: ClientOptions = {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.enable_retries": 0,
    "grpc.service_config_disable_resolution": 1,
  };
  return new Client(target, credentials.createInsecure(), options);
}

// SPIFFE Workload Endpoint section 3: on every call, against forged requests from the server's side.
function header(): Metadata {
  const metadata = new Metadata();
  metadata.set("workload.spiffe.io", "true");
  return metadata;
}

function tooLate({ answerTimeoutMs }: WorkloadEndpoint): Pick<ServiceError, "code" | "details"> {
  return { code: status.DEADLINE_EXCEEDED, details: `no answer within ${answerTimeoutMs} ms` };
}
