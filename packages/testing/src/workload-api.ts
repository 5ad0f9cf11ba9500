import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  JWTBundlesResponseSchema,
  X509BundlesResponseSchema,
  type X509SVIDResponse,
  X509SVIDResponseSchema,
} from "@newleaf/proto";
import {
  createWorkloadApiCalls,
  type WorkloadApiCalls,
  type WorkloadApiMethod,
} from "./internal/workload-api-calls.ts";
import { createWorkloadApiListener } from "./internal/workload-api-listener.ts";
import type { IssuedX509Svid, SpiffeAuthority, X509SvidOptions } from "./spiffe-authority.ts";

export interface WorkloadApiOptions {
  readonly authority: SpiffeAuthority;
  /** A unix socket. Default: one in a temporary folder of its own. */
  readonly path?: string;
  /** Listen on 127.0.0.1 instead. */
  readonly tcp?: boolean;
  /** Who the caller is; the first is its default identity. Default: one, `/workload`. */
  readonly workloads?: readonly X509SvidOptions[];
  readonly federated?: readonly SpiffeAuthority[];
  /** Default true; otherwise there is no socket until `start`. */
  readonly started?: boolean;
}

/** What clients have asked of the server since it was made. */
export interface WorkloadApiCounters {
  /** Calls that carried the metadata, by method. */
  readonly calls: Readonly<Record<WorkloadApiMethod, number>>;
  /** Calls refused for want of `workload.spiffe.io: true`. */
  readonly withoutMetadata: number;
  /** Streams that are open, by method. */
  readonly open: Readonly<Record<WorkloadApiMethod, number>>;
  /** Messages sent on streams. */
  readonly messages: number;
}

/**
 * A Workload API as an agent serves it, over real gRPC. Every change is sent at once to all open streams, each time the
 * whole of it. Disposal ends all streams and removes the socket.
 */
export interface WorkloadApiServer extends AsyncDisposable {
  /** As `SPIFFE_ENDPOINT_SOCKET` has it: `unix:///...` or `tcp://127.0.0.1:port`. */
  readonly address: string;
  readonly counters: WorkloadApiCounters;
  /** The X.509-SVIDs that are handed out, the default identity first. */
  readonly svids: readonly IssuedX509Svid[];
  /** Signs all SVIDs anew, with keys of their own, and sends them; ends `redact`, `send` and `sendOctets`. */
  rotate(): readonly IssuedX509Svid[];
  /** Other identities from now on, signed and sent at once. */
  setWorkloads(workloads: readonly X509SvidOptions[]): readonly IssuedX509Svid[];
  /** Sends what the authorities have now, with the same SVIDs: after `prepare` or `retire`. */
  publish(): void;
  federate(authority: SpiffeAuthority): void;
  unfederate(trustDomain: string): void;
  /** DER. */
  setCrls(crls: readonly Uint8Array[]): void;
  /** Sends empty messages, on all streams, until `rotate`. */
  redact(): void;
  /** Sends this instead of the X.509-SVIDs until `rotate`: the message of now, changed. */
  send(change: (message: X509SVIDResponse) => void): void;
  /** Sends these octets instead of any message of X.509-SVIDs until `rotate`: malformed or huge ones. */
  sendOctets(octets: Uint8Array): void;
  /** The caller has no identity: ends open streams and refuses calls, until `recover`. */
  deny(): void;
  /** Ends open streams and refuses calls with a status of `@grpc/grpc-js`, until `recover`. */
  fail(code: status): void;
  /** Takes calls and never answers, until `recover`. */
  stall(): void;
  recover(): void;
  /** Ends all streams in good order; clients may come back at once. */
  drop(): void;
  /** Ends all connections and removes the socket, as an agent that stops. */
  stop(): Promise<void>;
  /** Listens again at the same address, with what it has now. */
  start(): Promise<void>;
  /** Resolves once the counters satisfy the condition; rejects after the deadline, five seconds by default. */
  until(condition: (counters: WorkloadApiCounters) => boolean, deadlineMs?: number): Promise<void>;
}

/** Starts a Workload API for one caller. */
export async function startWorkloadApi(options: WorkloadApiOptions): Promise<WorkloadApiServer> {
  const { authority, started = true } = options;
  const federated = new Map((options.federated ?? []).map((other) => [other.trustDomain, other]));
  let workloads = options.workloads ?? [{}];
  let svids = workloads.map((workload) => authority.issueX509Svid(workload));
  let crls: readonly Uint8Array[] = [];
  let redacted = false;
  let instead: Uint8Array | ((message: X509SVIDResponse) => void) | undefined;

  const bundles = (of: (authority: SpiffeAuthority) => Uint8Array): Record<string, Uint8Array> =>
    Object.fromEntries([authority, ...federated.values()].map((each) => [each.id, of(each)]));
  const x509Bundles = () => bundles((each) => each.x509Bundle());

  const x509Svids = (): X509SVIDResponse | Uint8Array => {
    if (instead instanceof Uint8Array) return instead;
    if (redacted) return create(X509SVIDResponseSchema);
    const { [authority.id]: bundle = new Uint8Array(), ...federatedBundles } = x509Bundles();
    const message = create(X509SVIDResponseSchema, {
      svids: svids.map(({ spiffeId, hint, certificates, key }) => ({
        spiffeId,
        x509Svid: certificates,
        x509SvidKey: key,
        bundle,
        hint,
      })),
      crl: [...crls],
      federatedBundles,
    });
    instead?.(message);
    return message;
  };

  const calls: WorkloadApiCalls = createWorkloadApiCalls({
    x509Svids,
    x509Bundles: () =>
      create(X509BundlesResponseSchema, redacted ? {} : { crl: [...crls], bundles: x509Bundles() }),
    jwtBundles: () =>
      create(JWTBundlesResponseSchema, redacted ? {} : { bundles: bundles((each) => each.jwtBundle()) }),
    workloads: () => workloads,
    authority,
    authorities: () => [authority, ...federated.values()],
  });
  const listener = await createWorkloadApiListener(calls.implementation, options);
  if (started) await listener.start();

  const issue = (next: readonly X509SvidOptions[]): readonly IssuedX509Svid[] => {
    workloads = next;
    svids = workloads.map((workload) => authority.issueX509Svid(workload));
    redacted = false;
    instead = undefined;
    calls.publish();
    return svids;
  };
  const sendInstead = (what: typeof instead): void => {
    instead = what;
    calls.publish();
  };

  return {
    get address() {
      return listener.address;
    },
    counters: calls.counters,
    get svids() {
      return svids;
    },
    rotate: () => issue(workloads),
    setWorkloads: issue,
    publish: () => calls.publish(),
    federate: (other) => {
      federated.set(other.trustDomain, other);
      calls.publish();
    },
    unfederate: (trustDomain) => {
      federated.delete(trustDomain);
      calls.publish();
    },
    setCrls: (lists) => {
      crls = lists;
      calls.publish();
    },
    redact: () => {
      redacted = true;
      calls.publish();
    },
    send: sendInstead,
    sendOctets: sendInstead,
    deny: () => calls.refuse(status.PERMISSION_DENIED, "no identity issued"),
    fail: (code) => calls.refuse(code, "as the test wants it"),
    stall: () => calls.stall(),
    recover: () => calls.recover(),
    drop: () => calls.drop(),
    stop: () => listener.stop(),
    start: () => listener.start(),
    until: (condition, deadlineMs = 5_000) => calls.until(condition, deadlineMs),
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}
