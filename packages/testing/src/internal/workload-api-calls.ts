import { create, type JsonObject } from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  type Metadata,
  type ServerWritableStream,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  type JWTSVIDRequest,
  type JWTSVIDResponse,
  JWTSVIDResponseSchema,
  type ValidateJWTSVIDRequest,
  type ValidateJWTSVIDResponse,
  ValidateJWTSVIDResponseSchema,
} from "@newleaf/proto";
import type { SpiffeAuthority, X509SvidOptions } from "../spiffe-authority.ts";
import type { WorkloadApiCounters } from "../workload-api.ts";

export type WorkloadApiMethod =
  | "FetchX509SVID"
  | "FetchX509Bundles"
  | "FetchJWTSVID"
  | "FetchJWTBundles"
  | "ValidateJWTSVID";

/** The five RPCs, and the ways in which they can go wrong. */
export interface WorkloadApiCalls {
  readonly implementation: UntypedServiceImplementation;
  readonly counters: WorkloadApiCounters;
  publish(): void;
  refuse(code: status, details: string): void;
  stall(): void;
  recover(): void;
  drop(): void;
  until(condition: (counters: WorkloadApiCounters) => boolean, deadlineMs: number): Promise<void>;
}

interface Answers {
  /** A message, or octets to send as they are. */
  x509Svids(): object;
  x509Bundles(): object;
  jwtBundles(): object;
  workloads(): readonly X509SvidOptions[];
  readonly authority: SpiffeAuthority;
  authorities(): readonly SpiffeAuthority[];
}

type Stream = ServerWritableStream<object, object>;
type Refusal = { readonly code: status; readonly details: string };

export function createWorkloadApiCalls(answers: Answers): WorkloadApiCalls {
  const zero = {
    FetchX509SVID: 0,
    FetchX509Bundles: 0,
    FetchJWTSVID: 0,
    FetchJWTBundles: 0,
    ValidateJWTSVID: 0,
  };
  const counters = { calls: { ...zero }, open: { ...zero }, withoutMetadata: 0, messages: 0 };
  const streams = new Map<Stream, () => object>();
  const waiting = new Set<() => void>();
  let refusal: Refusal | undefined;
  let stalled = false;

  const changed = (): void => {
    for (const look of [...waiting]) look();
  };
  const admit = (method: WorkloadApiMethod, metadata: Metadata): Refusal | undefined => {
    const values = metadata.get("workload.spiffe.io");
    if (values.length !== 1 || values[0] !== "true") {
      counters.withoutMetadata += 1;
      return { code: status.INVALID_ARGUMENT, details: "security header missing from request" };
    }
    counters.calls[method] += 1;
    return refusal;
  };
  const send = (stream: Stream, message: () => object): void => {
    if (stalled) return;
    counters.messages += 1;
    stream.write(message());
  };

  const streaming =
    (method: WorkloadApiMethod, message: () => object) =>
    (stream: Stream): void => {
      const refused = admit(method, stream.metadata);
      if (refused) end(stream, refused);
      else {
        streams.set(stream, message);
        counters.open[method] += 1;
        const gone = (): void => {
          if (!streams.delete(stream)) return;
          counters.open[method] -= 1;
          changed();
        };
        stream.on("cancelled", gone).on("close", gone).on("finish", gone).on("error", gone);
        send(stream, message);
      }
      changed();
    };

  const unary =
    <Q, A extends object>(
      method: WorkloadApiMethod,
      answer: (request: Q) => Promise<A | Refusal>,
    ): handleUnaryCall<Q, A> =>
    ({ metadata, request }, callback) => {
      const refused = admit(method, metadata);
      changed();
      if (refused) return callback(refused);
      if (stalled) return;
      void answer(request)
        .catch((): Refusal => ({ code: status.INVALID_ARGUMENT, details: "invalid" }))
        .then((result) => (isRefusal(result) ? callback(result) : callback(null, result)));
    };

  return {
    counters,
    implementation: {
      FetchX509SVID: streaming("FetchX509SVID", () => answers.x509Svids()),
      FetchX509Bundles: streaming("FetchX509Bundles", () => answers.x509Bundles()),
      FetchJWTBundles: streaming("FetchJWTBundles", () => answers.jwtBundles()),
      FetchJWTSVID: unary("FetchJWTSVID", (request: JWTSVIDRequest) => fetchJwtSvids(request, answers)),
      ValidateJWTSVID: unary("ValidateJWTSVID", (request: ValidateJWTSVIDRequest) =>
        validate(request, answers),
      ),
    } as UntypedServiceImplementation,
    publish: () => {
      for (const [stream, message] of streams) send(stream, message);
      changed();
    },
    refuse: (code, details) => {
      refusal = { code, details };
      for (const stream of streams.keys()) end(stream, refusal);
    },
    stall: () => {
      stalled = true;
    },
    recover: () => {
      refusal = undefined;
      stalled = false;
      for (const [stream, message] of streams) send(stream, message);
    },
    drop: () => {
      for (const stream of streams.keys()) stream.end();
    },
    until: (condition, deadlineMs) =>
      new Promise((resolve, reject) => {
        const done = (settle: () => void): void => {
          clearTimeout(deadline);
          waiting.delete(look);
          settle();
        };
        const look = (): void => {
          if (condition(counters)) done(resolve);
        };
        const late = new Error(`not within ${deadlineMs} ms: ${condition}, but ${JSON.stringify(counters)}`);
        const deadline = setTimeout(() => done(() => reject(late)), deadlineMs);
        waiting.add(look);
        look();
      }),
  };
}

function end(stream: Stream, { code, details }: Refusal): void {
  stream.emit("error", { code, details });
}

async function fetchJwtSvids(
  { audience, spiffeId }: JWTSVIDRequest,
  { authority, workloads }: Answers,
): Promise<JWTSVIDResponse | Refusal> {
  if (audience.length === 0) return { code: status.INVALID_ARGUMENT, details: "audience must be specified" };
  const entitled = workloads()
    .map(({ path = "/workload", hint = "", spiffeId: id = `${authority.id}${path}` }) => ({ id, hint }))
    .filter(({ id }) => spiffeId === "" || id === spiffeId);
  if (entitled.length === 0) return { code: status.PERMISSION_DENIED, details: "no identity issued" };
  const svids = entitled.map(async ({ id, hint }) => ({
    spiffeId: id,
    svid: await authority.issueJwtSvid({ audience, spiffeId: id }),
    hint,
  }));
  return create(JWTSVIDResponseSchema, { svids: await Promise.all(svids) });
}

async function validate(
  { audience, svid }: ValidateJWTSVIDRequest,
  { authorities }: Answers,
): Promise<ValidateJWTSVIDResponse> {
  const verified = authorities().map((authority) => authority.verifyJwtSvid(svid, audience));
  const claims = await Promise.any(verified);
  return create(ValidateJWTSVIDResponseSchema, { spiffeId: claims.sub ?? "", claims: claims as JsonObject });
}

function isRefusal(result: object | Refusal): result is Refusal {
  return "code" in result && "details" in result;
}
