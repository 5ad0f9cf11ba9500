import { setTimeout as sleep } from "node:timers/promises";
import { type KubeClient, resources } from "@newleaf/kube";

/** Deployments offered to an API server without a pause, as dry runs, and what became of them. */
export interface Admissions extends AsyncDisposable {
  readonly asked: number;
  /** Allowed, or denied by the policy where that is right. */
  readonly decided: number;
  /** The API server was not there to answer. */
  readonly unanswered: number;
  /** Answers that are not the policy's, since the last `forget`. */
  readonly failed: readonly string[];
  forget(): void;
  /** Resolves with the task's value; nothing is asked meanwhile. */
  pause<T>(task: () => Promise<T>): Promise<T>;
}

export interface AdmissionOptions {
  readonly client: KubeClient;
  /** Default 20. */
  readonly perSecond?: number;
  /** Called between two, when none is under way. */
  readonly between?: () => Promise<void>;
}

/** Every fourth one mounts a certificate as one file, which is to be denied. */
export function startAdmissions({ client, perSecond = 20, between }: AdmissionOptions): Admissions {
  const deployments = client.resource(resources.deployments, { namespace: "default" });
  const counts = { asked: 0, decided: 0, unanswered: 0 };
  const pending: (() => Promise<void>)[] = [];
  let failed: string[] = [];
  let stopped = false;

  const ask = async (): Promise<void> => {
    counts.asked += 1;
    const stale = counts.asked % 4 === 0;
    try {
      const answer = await deployments.create(deployment(`load-${counts.asked}`, stale), { dryRun: true });
      const message = answer.ok ? "admitted" : answer.status.message;
      const expected = stale ? /denied the request: .*\[subpath\]/s.test(message) : answer.ok;
      if (expected) counts.decided += 1;
      else failed.push(`${new Date().toISOString()} ${message}`);
    } catch {
      counts.unanswered += 1;
    }
  };
  const run = async (): Promise<void> => {
    let next = performance.now();
    while (!stopped) {
      for (const task of pending.splice(0)) await task();
      await ask();
      await between?.();
      // What was slow is made up for, but not what was paused.
      next = Math.max(next + 1_000 / perSecond, performance.now() - 500);
      await sleep(Math.max(0, next - performance.now()));
    }
    for (const task of pending.splice(0)) await task();
  };
  const running = run();

  return {
    get asked() {
      return counts.asked;
    },
    get decided() {
      return counts.decided;
    },
    get unanswered() {
      return counts.unanswered;
    },
    get failed() {
      return failed;
    },
    forget() {
      failed = [];
    },
    pause: (task) =>
      new Promise((resolve, reject) => {
        pending.push(() => task().then(resolve, reject));
      }),
    async [Symbol.asyncDispose]() {
      stopped = true;
      await running;
    },
  };
}

/** Mounts a TLS Secret: whole, or as one file, which is never updated. */
function deployment(name: string, stale: boolean) {
  const mount = { name: "tls", mountPath: "/etc/tls", ...(stale && { subPath: "tls.crt" }) };
  return {
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          securityContext: { fsGroup: 1000 },
          containers: [{ name: "web", image: "example.com/web:1", volumeMounts: [mount] }],
          volumes: [{ name: "tls", secret: { secretName: "web-tls" } }],
        },
      },
    },
  };
}
