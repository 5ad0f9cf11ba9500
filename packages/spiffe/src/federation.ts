import { type Clock, type Logger, systemClock } from "@newleaf/rotation";
import { formatSpiffeBundle, parseSpiffeBundle, type SpiffeBundle } from "./bundle.ts";
import { type BundleEndpoint, type BundleEndpointProfile, createBundleEndpoint } from "./bundle-endpoint.ts";
import { SpiffeError, type SpiffeErrorCode } from "./error.ts";
import { delay } from "./internal/delay.ts";
import { failed, fetchBundle } from "./internal/fetch-bundle.ts";
import { createLatestValue, type LatestValue } from "./internal/latest-value.ts";
import { silentLogger } from "./internal/silent-logger.ts";
import { asTrustDomain, type TrustDomain } from "./spiffe-id.ts";
import type { X509Bundles } from "./x509-bundle.ts";

export interface WatchFederatedBundleOptions {
  /** Whose bundle the endpoint serves: documents do not say. */
  readonly trustDomain: TrustDomain | string;
  readonly url: string | URL;
  readonly profile: BundleEndpointProfile;
  /** The bundle known so far, in use until a poll brings another. Needed for an `https_spiffe` endpoint that serves itself. */
  readonly bundle?: SpiffeBundle;
  /** Each poll's deadline, redirects included. Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 1 MiB. */
  readonly maxBytes?: number;
  /** Ends the first poll; afterwards only disposal ends the source. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** The bundle of a foreign trust domain, followed. Disposal ends polling and all iterators, is awaited and idempotent. */
export interface FederatedBundleSource extends AsyncDisposable {
  readonly trustDomain: TrustDomain;
  /** The last good bundle. */
  current(): SpiffeBundle;
  /** The current bundle, then each newer one; a slow reader gets only the latest. */
  watch(signal?: AbortSignal): AsyncIterableIterator<SpiffeBundle>;
  status(): FederationStatus;
  /** Polls now; settles when the outcome is in `current()` and `status()`. */
  refresh(): Promise<void>;
}

export interface FederationStatus {
  readonly lastSuccessAt: Date | undefined;
  /** The last poll, if it failed. */
  readonly failure:
    | { readonly code: SpiffeErrorCode; readonly message: string; readonly at: Date }
    | undefined;
  readonly polls: number;
  readonly failures: number;
}

/**
 * Follows a bundle endpoint (Federation sections 4 to 6): polls as often as the bundle's refresh hint says, five minutes
 * without one, at least 10 s and at most a day apart, up to a tenth earlier so that clients spread. A failed poll keeps the
 * bundle and waits for the next interval; so does a document with a lower sequence. Resolves after the first poll;
 * when that fails it rejects with ERR_SPIFFE_FEDERATION or ERR_SPIFFE_BUNDLE, unless `bundle` was given.
 */
export async function watchFederatedBundle(
  options: WatchFederatedBundleOptions,
): Promise<FederatedBundleSource> {
  const trustDomain = asTrustDomain(options.trustDomain);
  const { bundle, signal } = options;
  if (bundle !== undefined && bundle.trustDomain.name !== trustDomain.name) {
    const message = `the bundle of ${bundle.trustDomain} was given for ${trustDomain}`;
    throw new SpiffeError("ERR_SPIFFE_OPTIONS", message);
  }
  signal?.throwIfAborted();
  const poller = new BundlePoller(trustDomain, options);
  const onAbort = (): void => void poller[Symbol.asyncDispose]();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await poller.start();
    return poller;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_INTERVAL_MS = 300_000;
const SHORTEST_INTERVAL_MS = 10_000;
const LONGEST_INTERVAL_MS = 86_400_000;
const JITTER = 0.1;

class BundlePoller implements FederatedBundleSource {
  readonly trustDomain: TrustDomain;
  readonly #options: WatchFederatedBundleOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #endpoint: BundleEndpoint;
  readonly #latest: LatestValue<SpiffeBundle | undefined>;
  readonly #closing = new AbortController();
  readonly #refreshing: (() => void)[] = [];
  #wake = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #status: FederationStatus = { lastSuccessAt: undefined, failure: undefined, polls: 0, failures: 0 };

  constructor(trustDomain: TrustDomain, options: WatchFederatedBundleOptions) {
    this.trustDomain = trustDomain;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#latest = createLatestValue(options.bundle);
    const own =
      options.bundle && ((): X509Bundles => new Map([[trustDomain.name, this.current().x509Authorities]]));
    this.#endpoint = createBundleEndpoint({ ...options, trustDomain }, own);
  }

  async start(): Promise<void> {
    const failure = await this.#poll();
    if (failure !== undefined && this.#latest.current() === undefined) throw failure;
    this.#running = this.#run();
  }

  current(): SpiffeBundle {
    const bundle = this.#latest.current();
    if (bundle !== undefined) return bundle;
    throw new SpiffeError("ERR_SPIFFE_NO_BUNDLE", `there is no bundle of ${this.trustDomain} yet`);
  }

  watch(signal?: AbortSignal): AsyncIterableIterator<SpiffeBundle> {
    // From the first poll on there is always one, and nobody can watch before.
    return this.#latest.watch(signal) as AsyncIterableIterator<SpiffeBundle>;
  }

  status(): FederationStatus {
    return Object.freeze({ ...this.#status });
  }

  refresh(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) {
        reject(
          new SpiffeError("ERR_SPIFFE_CLOSED", `the bundle of ${this.trustDomain} is no longer followed`),
        );
        return;
      }
      this.#refreshing.push(resolve);
      this.#wake.abort();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#wake.abort();
    await this.#running;
    this.#latest.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await delay(this.#clock, intervalMs(this.current()), this.#wake.signal);
      if (signal.aborted) break;
      this.#wake = new AbortController();
      const asked = this.#refreshing.splice(0);
      await this.#poll();
      for (const resolve of asked) resolve();
    }
    for (const resolve of this.#refreshing.splice(0)) resolve();
  }

  /** Never rejects: what went wrong is in the status, and is the answer. */
  async #poll(): Promise<unknown> {
    const at = (): Date => new Date(this.#clock.now());
    const { polls, failures } = this.#status;
    try {
      this.#take(await this.#fetch());
      this.#status = { lastSuccessAt: at(), failure: undefined, polls: polls + 1, failures };
      return undefined;
    } catch (error) {
      if (this.#closing.signal.aborted) return error;
      const code = error instanceof SpiffeError ? error.code : "ERR_SPIFFE_FEDERATION";
      const message = error instanceof Error ? error.message : String(error);
      const failure = { code, message, at: at() };
      this.#status = { ...this.#status, failure, polls: polls + 1, failures: failures + 1 };
      this.#logger.warn(
        { trustDomain: this.trustDomain.name, code, why: message },
        "federated bundle not updated",
      );
      return error;
    }
  }

  async #fetch(): Promise<SpiffeBundle> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES } = this.#options;
    const { url } = this.#endpoint;
    const attempt = new AbortController();
    const timer = this.#clock.setTimeout(
      () => attempt.abort(failed(url, `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    // Not AbortSignal.any: on Node 20 a long-lived parent keeps every signal derived from it.
    const onClose = (): void => attempt.abort();
    this.#closing.signal.addEventListener("abort", onClose, { once: true });
    try {
      const authentication = this.#endpoint.authentication(new Date(this.#clock.now()));
      const document = await fetchBundle(url, { authentication, maxBytes, signal: attempt.signal });
      return parseSpiffeBundle(this.trustDomain, document);
    } finally {
      timer.cancel();
      this.#closing.signal.removeEventListener("abort", onClose);
    }
  }

  /** Federation section 4.2: the sequence says which of two is newer; without one it is the one that came last. */
  #take(next: SpiffeBundle): void {
    const known = this.#latest.current();
    if (known?.sequence !== undefined && next.sequence !== undefined && next.sequence < known.sequence) {
      const message = `the bundle of ${this.trustDomain} has sequence ${next.sequence}, ${known.sequence} is kept`;
      throw new SpiffeError("ERR_SPIFFE_BUNDLE", message);
    }
    if (known !== undefined && formatSpiffeBundle(known) === formatSpiffeBundle(next)) return;
    this.#latest.set(next);
    const { x509Authorities, jwtAuthorities, sequence } = next;
    const counts = { x509: x509Authorities.certificates.length, jwt: jwtAuthorities.size };
    this.#logger.info(
      { trustDomain: this.trustDomain.name, sequence: sequence?.toString(), ...counts },
      "federated bundle changed",
    );
  }
}

function intervalMs({ refreshHintSeconds }: SpiffeBundle): number {
  const hinted = refreshHintSeconds ? refreshHintSeconds * 1000 : DEFAULT_INTERVAL_MS;
  const full = Math.min(LONGEST_INTERVAL_MS, Math.max(SHORTEST_INTERVAL_MS, hinted));
  return full * (1 - JITTER * Math.random());
}
