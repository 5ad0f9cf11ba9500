import type { PeerAnchors, PeerTrustSource } from "@newleaf/rotation";
import { createTrustBundle } from "@newleaf/x509";
import { followValue } from "./internal/followed-value.ts";
import { createSpiffePeerTrust } from "./peer-trust.ts";
import {
  createWorkloadApiClient,
  type WorkloadApiClient,
  type WorkloadApiClientOptions,
} from "./workload-api-client.ts";
import type { WorkloadApiStatus } from "./workload-status.ts";
import type { X509Bundles } from "./x509-bundle.ts";
import type { X509BundleContext } from "./x509-context.ts";

export interface WatchBundlesOptions extends WorkloadApiClientOptions {
  /** Instead of an address and limits. */
  readonly client?: Pick<WorkloadApiClient, "watchX509Bundles">;
  /** How long the bundles stay in use once the Workload API denies them. Default 30 s. */
  readonly graceMs?: number;
  /** How long to wait for the first bundles. Default 60 s. */
  readonly waitMs?: number;
  /** Ends the wait for the first bundles; afterwards only disposal ends the source. */
  readonly signal?: AbortSignal;
}

/**
 * The X.509 bundles of the Workload API, for who verifies peers and has no identity, or one from elsewhere
 * (`withPeerTrust` of `@newleaf/rotation`). Disposal is awaited.
 */
export interface BundleSource extends PeerTrustSource, AsyncDisposable {
  /** By trust domain name. Empty once they were taken away: nobody is trusted. */
  bundles(): X509Bundles;
  /** The bundles with the revocation lists and warnings of the same message. */
  context(): X509BundleContext;
  /** The current ones, then each newer ones; a slow reader gets only the latest. */
  watch(signal?: AbortSignal): AsyncIterableIterator<X509BundleContext>;
  workloadApi(): WorkloadApiStatus;
  /** Connects anew; resolves when the outcome has been taken in. */
  reload(): Promise<void>;
}

const NOTHING: X509BundleContext = Object.freeze({
  bundles: new Map(),
  crls: Object.freeze([]),
  warnings: Object.freeze([]),
});

/**
 * Follows the bundles of the Workload API. Resolves with the first; they stay in use while the Workload API cannot be
 * reached, and are taken away as `watchSpiffe` has it.
 */
export async function watchBundles(options: WatchBundlesOptions): Promise<BundleSource> {
  const client = options.client ?? createWorkloadApiClient(options);
  let anchors: { readonly of: X509BundleContext; readonly made: PeerAnchors } | undefined;
  const value = await followValue({
    ...options,
    what: "X.509 bundles",
    nothing: NOTHING,
    watch: (signal) => client.watchX509Bundles(signal),
  });
  return {
    bundles: () => value.current().bundles,
    context: value.current,
    current() {
      const context = value.current();
      if (anchors?.of !== context) anchors = { of: context, made: anchorsOf(context) };
      return anchors.made;
    },
    watch: value.watch,
    workloadApi: value.workloadApi,
    reload: value.reload,
    [Symbol.asyncDispose]: value.close,
  };
}

function anchorsOf({ bundles, crls }: X509BundleContext): PeerAnchors {
  return Object.freeze({
    trust: createTrustBundle([]),
    peerTrust: createSpiffePeerTrust(bundles),
    crls,
    withdrawn: bundles.size === 0 ? "the Workload API has no bundles for this workload" : undefined,
  });
}
