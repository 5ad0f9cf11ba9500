import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { failure } from "@newleaf/daemon";
import { webhookCommand } from "@newleaf/webhook-program";
import { type EmbeddedProgram, type LogLine, startEmbeddedProgram } from "../embedded-program.ts";
import type { Cluster, Endpoint } from "./cluster.ts";
import { NAME, NAMESPACE, replicaPod, SELECTOR } from "./cluster-objects.ts";
import { eventually } from "./eventually.ts";

/** A Pod with `newleaf webhook` in it. */
export interface Replica extends AsyncDisposable {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly program: Pick<EmbeddedProgram, "failure">;
  /** Resolves when it serves, with the milliseconds since its start; rejects with its last words, or the signal. */
  ready(signal: AbortSignal): Promise<number>;
  /**
   * As far as a part of this process can be killed: from one moment to the next it reaches nobody and is behind no
   * Service, its Lease is not given back, and its Pod is gone.
   */
  kill(): Promise<void>;
}

export interface ReplicaOptions {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** The leader asks Pods for their certificate where each has an address of its own. */
  readonly provePort: number;
  readonly onLine: (line: LogLine) => void;
}

/** It is renewed at two thirds of it. */
export const LIFE = "6s";

/** Short lives, and an election that is over in seconds; all else as it is in a cluster. */
const OPTIONS = [
  ...["--certificate-duration", LIFE, "--authority-duration", "24h", "--settle", "1s"],
  ...["--lease-duration", "2s", "--renew-deadline", "1500ms", "--retry-period", "250ms"],
];

export async function startReplica(cluster: Cluster, options: ReplicaOptions): Promise<Replica> {
  const { name, endpoint, provePort, onLine } = options;
  const { api, endpoints } = cluster;
  const certificates = cluster.certificates(name);
  // The volume is there, and empty, before the container starts.
  await mkdir(certificates, { recursive: true });
  const { kubeconfig, listener } = await cluster.connectPod(name);
  const pod = api.store.create("pods", replicaPod(name));
  const running = { ...pod, status: { phase: "Running", podIP: endpoint.host } };
  api.store.update("pods", running, "status");

  const startedAt = performance.now();
  let readyMs: number | undefined;
  const argv = [
    ...["--namespace", NAMESPACE, "--pod", name, "--pod-uid", pod.metadata.uid ?? ""],
    ...["--kubeconfig", kubeconfig, "--certs", certificates],
    ...["--listen", `${endpoint.host}:${endpoint.port}`, "--prove-port", String(provePort)],
    ...["--selector", SELECTOR, "--validating", NAME],
    ...OPTIONS,
  ];
  const program = startEmbeddedProgram(
    webhookCommand,
    argv,
    (line) => {
      if (line.msg === "ready") {
        endpoints.set(name, endpoint);
        readyMs = performance.now() - startedAt;
      }
      onLine(line);
    },
    `demo-${name}`,
  );

  const stop = async (): Promise<void> => {
    endpoints.delete(name);
    await program[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
  };
  return {
    name,
    endpoint,
    program,
    ready: (signal) =>
      eventually(
        `${name} is ready`,
        () => {
          if (program.failure !== undefined) throw failure(program.failure);
          return readyMs;
        },
        signal,
      ),
    async kill() {
      endpoints.delete(name);
      await listener.setAvailable(false);
      api.store.delete("pods", NAMESPACE, name, { gracePeriodSeconds: 0 });
      // What was being asked of it is answered: a review that is cut off says nothing about certificates.
      await sleep(REVIEW_MS);
      await stop();
    },
    [Symbol.asyncDispose]: stop,
  };
}

const REVIEW_MS = 100;
