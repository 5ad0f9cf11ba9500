import type { Clock, Lease, Logger, Pod, ResourceClient, StatusFailure } from "@newleaf/kube";
import type { AnnotationNames } from "./annotations.ts";
import { createRetryPace } from "./internal/retry-pace.ts";
import { createWakeup } from "./internal/wakeup.ts";
import { replicaLeaseName } from "./replica.ts";

/** What a follower tells the world of itself. */
interface FollowerReport {
  /** What it waits for; undefined when it has all that is announced. */
  readonly expectedCertHash: string | undefined;
  /** Counts the times it has asked for the same. */
  readonly attempt: number;
  readonly acknowledgedCertHash: string | undefined;
  readonly acknowledgedCaHash: string | undefined;
}

/** Sends the newest report, one request at a time: reports that came meanwhile are one. */
export interface FollowerReporter extends AsyncDisposable {
  report(report: FollowerReport): void;
}

/** Where a follower says what it has loaded. */
export interface AcknowledgeOptions {
  /** Its own Pod. */
  readonly pod: { readonly name: string; readonly uid?: string | undefined };
  /** Patches the Pod, which also makes the kubelet sync its volumes at once. */
  readonly pods?: ResourceClient<Pod> | undefined;
  /** A Lease of the replica's own instead, where Pods may not be patched: `<name>-<pod>`. */
  readonly leases?: ResourceClient<Lease> | undefined;
}

const REQUEST_TIMEOUT_MS = 5_000;
/** Until what was refused is tried again. */
const REFUSED_MS = 10 * 60_000;

export function createFollowerReporter(
  options: AcknowledgeOptions & {
    readonly name: string;
    readonly names: AnnotationNames;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly random: () => number;
  },
): FollowerReporter {
  const { clock, logger, random } = options;
  const closing = new AbortController();
  const wakeup = createWakeup(clock);
  const pace = createRetryPace(clock, random);
  const channels = channelsOf(options).map((channel) => ({ ...channel, sent: "", refusedUntil: 0 }));
  let newest: FollowerReport | undefined;

  const deliver = async (channel: (typeof channels)[number], report: FollowerReport): Promise<void> => {
    const content = channel.contentOf(report);
    if (content === channel.sent || pace.blocked().has(channel.name)) return;
    if (clock.monotonic() < channel.refusedUntil) return;
    try {
      const failure = await channel.send(report, closing.signal);
      if (failure === undefined) {
        channel.sent = content;
        channel.refusedUntil = 0;
        pace.succeeded(channel.name);
        return;
      }
      // Only a person mends that; nor is a Pod that is not there going to come.
      if (failure.code === 403 || failure.code === 404) {
        if (channel.refusedUntil === 0) {
          logger.warn(
            { to: channel.name, reason: failure.message },
            "reports are not accepted; the kubelet syncs in its own time",
          );
        }
        channel.refusedUntil = clock.monotonic() + REFUSED_MS;
        return;
      }
      logger.debug({ to: channel.name, reason: failure.message }, "report failed, it is tried again");
      pace.failed(channel.name, { retryAfterMs: failure.retryAfterMs });
    } catch (error) {
      if (closing.signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      logger.debug({ to: channel.name, reason }, "report failed, it is tried again");
      pace.failed(channel.name);
    }
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      // What is newest now, not what was when the last request began.
      for (const channel of channels) if (newest) await deliver(channel, newest);
      await wakeup.wait(Math.min(pace.nextMs(), REFUSED_MS), closing.signal);
    }
  };
  const running = channels.length > 0 ? run() : Promise.resolve();

  return {
    report(report) {
      newest = report;
      wakeup.ring();
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await running;
    },
  };
}

interface Channel {
  readonly name: string;
  /** Equal for reports that need not be sent one after the other. */
  contentOf(report: FollowerReport): string;
  send(report: FollowerReport, signal: AbortSignal): Promise<StatusFailure | undefined>;
}

function channelsOf({
  pod,
  pods,
  leases,
  name,
  names,
}: Parameters<typeof createFollowerReporter>[0]): readonly Channel[] {
  const channels: Channel[] = [];
  const acknowledgement = (report: FollowerReport): Record<string, string | null> => ({
    [names.acknowledgedCertHash]: report.acknowledgedCertHash ?? null,
    [names.acknowledgedCaHash]: report.acknowledgedCaHash ?? null,
  });
  if (pods) {
    const annotationsOf = (report: FollowerReport): Record<string, string | null> => ({
      ...acknowledgement(report),
      [names.expectedCertHash]: report.expectedCertHash ?? null,
      [names.syncAttempt]: report.expectedCertHash === undefined ? null : String(report.attempt),
    });
    channels.push({
      name: "pod",
      contentOf: (report) => JSON.stringify(annotationsOf(report)),
      async send(report, signal) {
        const body = { metadata: { annotations: annotationsOf(report) } };
        const options = { signal, timeoutMs: REQUEST_TIMEOUT_MS };
        const answer = await pods.patch(pod.name, { type: "merge", body }, options);
        return answer.ok ? undefined : answer.status;
      },
    });
  }
  if (leases) {
    channels.push({
      name: "lease",
      contentOf: (report) => JSON.stringify(acknowledgement(report)),
      async send(report, signal) {
        const options = { signal, timeoutMs: REQUEST_TIMEOUT_MS };
        const own = replicaLeaseName(name, pod.name);
        const annotations = acknowledgement(report);
        const body = { metadata: { annotations }, spec: { holderIdentity: pod.name } };
        const patched = await leases.patch(own, { type: "merge", body }, options);
        if (patched.ok || patched.status.code !== 404) return patched.ok ? undefined : patched.status;
        const created = await leases.create(replicaLease({ own, pod, name, names, annotations }), options);
        return created.ok ? undefined : created.status;
      },
    });
  }
  return channels;
}

/** Goes with its Pod, where that is known. */
function replicaLease(of: {
  readonly own: string;
  readonly pod: AcknowledgeOptions["pod"];
  readonly name: string;
  readonly names: AnnotationNames;
  readonly annotations: Readonly<Record<string, string | null>>;
}): Lease {
  const { own, pod, name, names } = of;
  const annotations = Object.fromEntries(
    Object.entries(of.annotations).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name: own,
      labels: { [names.replicaOf]: name },
      annotations,
      ...(pod.uid !== undefined && {
        ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: pod.name, uid: pod.uid }],
      }),
    },
    spec: { holderIdentity: pod.name },
  };
}
