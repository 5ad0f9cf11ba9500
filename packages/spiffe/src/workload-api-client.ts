import { create } from "@bufbuild/protobuf";
import { type MethodDefinition, status } from "@grpc/grpc-js";
import {
  grpcMethod,
  JWTBundlesRequestSchema,
  JWTSVIDRequestSchema,
  SpiffeWorkloadAPI,
  ValidateJWTSVIDRequestSchema,
  X509BundlesRequestSchema,
  X509SVIDRequestSchema,
} from "@newleaf/proto";
import { type Clock, type Logger, systemClock } from "@newleaf/rotation";
import { SpiffeError } from "./error.ts";
import { silentLogger } from "./internal/silent-logger.ts";
import { type RequestMethod, unaryCall, type WorkloadEndpoint } from "./internal/workload-call.ts";
import {
  firstOfStream,
  keepStream,
  type Subscription,
  type WorkloadApiUpdate,
} from "./internal/workload-stream.ts";
import type { JwtBundles } from "./jwt-bundle.ts";
import { readJwtBundles, readJwtSvids, readValidation, type ValidatedJwtSvid } from "./jwt-messages.ts";
import type { JwtSvid } from "./jwt-svid.ts";
import type { SpiffeId } from "./spiffe-id.ts";
import { workloadApiAddress } from "./workload-address.ts";
import { attemptEnd } from "./workload-failure.ts";
import {
  readX509Bundles,
  readX509Context,
  type WorkloadLimits,
  type X509BundleContext,
  type X509Context,
} from "./x509-context.ts";

export interface WorkloadApiClientOptions {
  /**
   * `unix:///path` or `tcp://IP:port`. This package reads no environment: programs pass the value of
   * `SPIFFE_ENDPOINT_SOCKET` where nothing else is configured.
   */
  readonly address?: string | undefined;
  /** The largest message that is taken. Default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** The most SVIDs in one message. Default 100. */
  readonly maxSvids?: number;
  /** The most bundles in one message. Default 200. */
  readonly maxBundles?: number;
  /** How long a call waits for an answer, or a stream for its first message. Default 30 s. */
  readonly answerTimeoutMs?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export interface JwtSvidRequest {
  /** At least one. */
  readonly audience: string | readonly string[];
  /** One of the workload's identities; otherwise all of them are answered for. */
  readonly id?: SpiffeId | string;
  readonly signal?: AbortSignal;
}

/**
 * The five calls of the SPIFFE Workload API. `fetch*` and `validate*` try once and reject with SpiffeError; `watch*` keep
 * trying until their signal aborts or the reader leaves, and throw only when the server refuses the call for good
 * (InvalidArgument, Unimplemented). Each call has a connection of its own, so there is nothing to close.
 */
export interface WorkloadApiClient {
  fetchX509Context(signal?: AbortSignal): Promise<X509Context>;
  watchX509Context(signal?: AbortSignal): AsyncIterableIterator<WorkloadApiUpdate<X509Context>>;
  fetchX509Bundles(signal?: AbortSignal): Promise<X509BundleContext>;
  watchX509Bundles(signal?: AbortSignal): AsyncIterableIterator<WorkloadApiUpdate<X509BundleContext>>;
  /** The default identity first. */
  fetchJwtSvids(request: JwtSvidRequest): Promise<readonly JwtSvid[]>;
  fetchJwtBundles(signal?: AbortSignal): Promise<JwtBundles>;
  watchJwtBundles(signal?: AbortSignal): AsyncIterableIterator<WorkloadApiUpdate<JwtBundles>>;
  /** Has the Workload API validate a token. ERR_SPIFFE_JWT_SVID when it does not accept it. */
  validateJwtSvid(request: {
    readonly token: string;
    readonly audience: string;
    readonly signal?: AbortSignal;
  }): Promise<ValidatedJwtSvid>;
}

const METHODS = SpiffeWorkloadAPI.method;

/** Checks the address and limits; connects when called. */
export function createWorkloadApiClient(options: WorkloadApiClientOptions): WorkloadApiClient {
  const { maxSvids = 100, maxBundles = 200, logger = silentLogger } = options;
  const endpoint: WorkloadEndpoint = {
    target: workloadApiAddress(options.address),
    maxMessageBytes: options.maxMessageBytes ?? 16 * 1024 * 1024,
    answerTimeoutMs: options.answerTimeoutMs ?? 30_000,
    clock: options.clock ?? systemClock,
  };
  const limits: WorkloadLimits = { maxSvids, maxBundles };
  checkPositive({
    ...limits,
    maxMessageBytes: endpoint.maxMessageBytes,
    answerTimeoutMs: endpoint.answerTimeoutMs,
  });
  const subscribe = <Q, T>(
    method: RequestMethod<Q>,
    request: Q,
    read: (octets: Uint8Array, limits: WorkloadLimits) => T,
  ): Subscription<Q, T> => ({ endpoint, logger, method, request, read: (octets) => read(octets, limits) });

  const x509 = subscribe(grpcMethod(METHODS.fetchX509SVID), create(X509SVIDRequestSchema), readX509Context);
  const bundles = subscribe(
    grpcMethod(METHODS.fetchX509Bundles),
    create(X509BundlesRequestSchema),
    readX509Bundles,
  );
  const jwtBundles = subscribe(
    grpcMethod(METHODS.fetchJWTBundles),
    create(JWTBundlesRequestSchema),
    readJwtBundles,
  );

  return {
    fetchX509Context: (signal) => firstOfStream(x509, signal),
    watchX509Context: (signal) => keepStream(x509, signal ?? never()),
    fetchX509Bundles: (signal) => firstOfStream(bundles, signal),
    watchX509Bundles: (signal) => keepStream(bundles, signal ?? never()),
    fetchJwtBundles: (signal) => firstOfStream(jwtBundles, signal),
    watchJwtBundles: (signal) => keepStream(jwtBundles, signal ?? never()),
    fetchJwtSvids: async ({ audience, id, signal }) => {
      const audiences = [audience].flat().filter((each) => each !== "");
      if (audiences.length === 0) throw new SpiffeError("ERR_SPIFFE_OPTIONS", "an audience is needed");
      const request = create(JWTSVIDRequestSchema, { audience: audiences, spiffeId: `${id ?? ""}` });
      return ask(grpcMethod(METHODS.fetchJWTSVID), request, signal, (answer) =>
        readJwtSvids(answer, audiences, limits),
      );
    },
    validateJwtSvid: async ({ token, audience, signal }) => {
      if (token === "" || audience === "") {
        throw new SpiffeError("ERR_SPIFFE_OPTIONS", "a token and an audience are needed");
      }
      const request = create(ValidateJWTSVIDRequestSchema, { audience, svid: token });
      return ask(grpcMethod(METHODS.validateJWTSVID), request, signal, readValidation, "ERR_SPIFFE_JWT_SVID");
    },
  };

  async function ask<Q, A, T>(
    method: MethodDefinition<Q, A>,
    request: Q,
    signal: AbortSignal | undefined,
    read: (answer: A) => T,
    refusedAs: "ERR_SPIFFE_WORKLOAD_API" | "ERR_SPIFFE_JWT_SVID" = "ERR_SPIFFE_WORKLOAD_API",
  ): Promise<T> {
    try {
      return read(await unaryCall(endpoint, method, request, signal));
    } catch (error) {
      signal?.throwIfAborted();
      const end = attemptEnd(error);
      // The call itself is in order, so what InvalidArgument is about is the token.
      if (end.status !== status.INVALID_ARGUMENT) throw end.error;
      throw new SpiffeError(refusedAs, end.error.message);
    }
  }
}

function checkPositive(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new SpiffeError("ERR_SPIFFE_OPTIONS", `${name} must be a positive whole number`);
  }
}

function never(): AbortSignal {
  return new AbortController().signal;
}
