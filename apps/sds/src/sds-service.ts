import { type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { Logger } from "@newleaf/daemon";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "@newleaf/proto";
import { createDeltaStream } from "./delta-stream.ts";
import { type ProtocolStream, requestProblem, type StreamLimits } from "./protocol-stream.ts";
import type { SdsCounts } from "./sds-metrics.ts";
import type { SecretStore } from "./secret-store.ts";
import { createSotwStream, discoveryResponse } from "./sotw-stream.ts";
import type { Subscriber, Subscribers } from "./subscribers.ts";

export interface SdsLimits extends StreamLimits {
  /** Streams at the same time, of all clients. */
  readonly maxStreams: number;
}

export interface SdsServiceParts {
  readonly store: SecretStore;
  readonly subscribers: Subscribers;
  readonly limits: SdsLimits;
  readonly counts: SdsCounts;
  readonly logger: Logger;
  /** A client has had secrets of these names before, and there are none now. */
  readonly onOrphans: (names: readonly string[]) => void;
}

/** The handlers of SecretDiscoveryService, and the end of all streams. */
export interface SdsService {
  readonly handlers: {
    StreamSecrets(call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>): void;
    DeltaSecrets(call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>): void;
    FetchSecrets(
      call: ServerUnaryCall<DiscoveryRequest, DiscoveryResponse>,
      callback: sendUnaryData<DiscoveryResponse>,
    ): void;
  };
  /** Ends every stream; clients keep what they have and come back elsewhere, or later. */
  endStreams(): void;
}

export function createSdsService(parts: SdsServiceParts): SdsService {
  const { store, limits } = parts;
  const streams = new Set<() => void>();
  let nextId = 1;
  const serve = <Q extends NodeRequest, R>(
    protocol: Subscriber["protocol"],
    call: ServerDuplexStream<Q, R>,
    stream: ProtocolStream<Q, R>,
  ): void => {
    const refusal = streams.size >= limits.maxStreams ? `more than ${limits.maxStreams} streams` : undefined;
    if (refusal !== undefined) {
      parts.counts.streamRefused("limit");
      fail(call, status.RESOURCE_EXHAUSTED, refusal);
      return;
    }
    const end = (): void => fail(call, status.UNAVAILABLE, "the server is shutting down");
    streams.add(end);
    serveStream(parts, { id: nextId++, protocol }, call, stream, () => streams.delete(end));
  };
  return {
    handlers: {
      StreamSecrets: (call) => serve("sotw", call, createSotwStream(limits)),
      DeltaSecrets: (call) => serve("delta", call, createDeltaStream(limits)),
      FetchSecrets({ request }, callback) {
        const names = new Set(request.resourceNames);
        const problem = requestProblem(request.typeUrl, request.resourceNames, names.size, limits);
        if (problem && !problem.ok) {
          callback({ code: codeOf(problem.code), details: problem.message });
          return;
        }
        const secrets = [...names].flatMap((name) => store.get(name) ?? []);
        callback(null, discoveryResponse(secrets, ""));
      },
    },
    endStreams() {
      for (const end of [...streams]) end();
    },
  };
}

type NodeRequest = DiscoveryRequest | DeltaDiscoveryRequest;

/** Couples a stream's state with its transport: one message on its way at a time, so that a slow client gets the newest. */
function serveStream<Q extends NodeRequest, R>(
  { store, subscribers, counts, logger, onOrphans }: SdsServiceParts,
  { id, protocol }: { readonly id: number; readonly protocol: Subscriber["protocol"] },
  call: ServerDuplexStream<Q, R>,
  stream: ProtocolStream<Q, R>,
  onClose: () => void,
): void {
  let [node, writing, closed] = ["", false, false];
  const flush = (): void => {
    if (writing || closed) return;
    const response = stream.next(store.get);
    if (response === undefined) return;
    writing = true;
    counts.sent(protocol);
    call.write(response, () => {
      writing = false;
      flush();
    });
  };
  const subscriber: Subscriber = {
    id,
    protocol,
    peer: peerOf(call),
    subscriptions: stream.subscriptions,
    flush,
    get node() {
      return node;
    },
  };
  const registered = subscribers.add(subscriber);
  const close = (): void => {
    if (closed) return;
    closed = true;
    onClose();
    registered[Symbol.dispose]();
    logger.debug({ stream: id, node }, "stream ended");
  };
  call.on("data", (request: Q) => {
    if (closed) return;
    // Guaranteed on the first request of a stream only.
    if (request.node && node === "") {
      node = request.node.id.slice(0, 256);
      logger.debug({ stream: id, node, peer: subscriber.peer, protocol }, "stream began");
    }
    const reception = stream.receive(request);
    if (!reception.ok) {
      logger.warn({ stream: id, node, peer: subscriber.peer, reason: reception.message }, "stream refused");
      counts.streamRefused(reception.code);
      fail(call, codeOf(reception.code), reception.message);
      close();
      return;
    }
    for (const verdict of reception.verdicts) {
      counts.answered(protocol, verdict.ok);
      if (verdict.ok) continue;
      const { name, version, message } = verdict;
      logger.warn({ secret: name, version, node, peer: subscriber.peer, reason: message }, "secret refused");
    }
    const orphans = reception.held.filter((name) => !store.get(name));
    if (orphans.length > 0) onOrphans(orphans);
    flush();
    subscribers.heard(subscriber, reception.verdicts);
  });
  call.on("end", () => {
    close();
    call.end();
  });
  for (const event of ["cancelled", "error", "close"] as const) call.on(event, close);
}

/** As @grpc/grpc-js wants a call to be ended with a status of one's own. */
function fail(call: { emit(event: "error", error: object): unknown }, code: status, details: string): void {
  call.emit("error", { code, details });
}

function codeOf(code: "invalid" | "limit"): status {
  return code === "limit" ? status.RESOURCE_EXHAUSTED : status.INVALID_ARGUMENT;
}

/** Who a call comes from, for people: the names in its certificate, else its address. */
function peerOf(call: Pick<ServerDuplexStream<unknown, unknown>, "getPeer" | "getAuthContext">): string {
  const names = call.getAuthContext().sslPeerCertificate?.subjectaltname;
  const address = call.getPeer();
  return names ? `${names.slice(0, 256)} (${address})` : address === "unknown" ? "unix socket" : address;
}
