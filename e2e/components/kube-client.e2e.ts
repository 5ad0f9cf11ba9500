// Our Kubernetes client against a real kube-apiserver: users and their rights, an API server that restarts, dies and
// hangs, and what the API server's own audit says was asked. Needs: etcd, kubernetes.
import {
  type ConnectedKube,
  connectKube,
  electLeader,
  resources,
  startInformer,
  valueOrThrow,
} from "@newleaf/kube";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Kubernetes, kubernetesProgram, startKubernetes } from "../kubernetes.ts";
import { until } from "../until.ts";

describe.skipIf(kubernetesProgram() === undefined)(
  "the client and kube-apiserver (needs: etcd, kubernetes)",
  () => {
    let kubernetes: Kubernetes;
    let admin: ConnectedKube;

    beforeAll(async () => {
      kubernetes = await startKubernetes({ audit: true });
      admin = await connectKube({ kubeconfig: kubernetes.kubeconfig });
    });
    afterAll(async () => {
      await admin?.[Symbol.asyncDispose]();
      await kubernetes?.[Symbol.asyncDispose]();
    });

    const configMap = (name: string, data: Record<string, string> = {}) => ({ metadata: { name }, data });

    test("users by certificate and by token have their own rights, and no others", async () => {
      const robot = await kubernetes.serviceAccount({
        name: "robot",
        rules: [{ apiGroups: [""], resources: ["configmaps"], resourceNames: ["allowed"], verbs: ["get"] }],
      });
      const configMaps = admin.client.resource(resources.configMaps, { namespace: "default" });
      valueOrThrow(await configMaps.create(configMap("allowed", { a: "1" })), "create");

      await using asRobot = await connectKube({ kubeconfig: robot.kubeconfig });
      const own = asRobot.client.resource(resources.configMaps, { namespace: "default" });
      expect(await own.get("allowed")).toMatchObject({ ok: true, value: { data: { a: "1" } } });
      expect(await own.get("other")).toMatchObject({ ok: false, status: { code: 403, reason: "Forbidden" } });
      await using stranger = await connectKube({ kubeconfig: kubernetes.user("alice", ["dev"]).kubeconfig });
      const refused = await stranger.client
        .resource(resources.configMaps, { namespace: "default" })
        .get("allowed");
      expect(refused).toMatchObject({
        ok: false,
        status: { message: expect.stringContaining('User "alice"') },
      });

      // The request id of an answer is that of the audit.
      const requestId = refused.ok ? undefined : refused.status.requestId;
      const event = await until("the audit has it", () => {
        return kubernetes.audit().find(({ auditID }) => auditID === requestId);
      });
      expect(event).toMatchObject({
        verb: "get",
        user: { username: "alice" },
        responseStatus: { code: 403 },
      });
    });

    test("an informer goes on through a restart, a crash and a silence, and is idle in between", async () => {
      const watcher = await kubernetes.serviceAccount({
        name: "watcher",
        rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list", "watch"] }],
      });
      await using connected = await connectKube({ kubeconfig: watcher.kubeconfig });
      const configMaps = admin.client.resource(resources.configMaps, { namespace: "default" });
      await using informer = startInformer({
        resource: connected.client.resource(resources.configMaps, { namespace: "default" }),
      });
      await informer.whenSynced(AbortSignal.timeout(10_000));
      const sees = async (name: string): Promise<void> => {
        valueOrThrow(await configMaps.create(configMap(name)), "create");
        await until(`${name} seen`, () => informer.get(`default/${name}`), 40_000);
      };

      await sees("before");
      const asked = (): string[] =>
        kubernetes.audit().flatMap(({ user, verb }) => (user.username === watcher.username ? [verb] : []));
      for (let i = 0; i < 20; i++) await sees(`idle-${i}`);
      // A watch is in the audit from its first byte; a list, if there was one, is one request.
      expect(asked().length).toBeLessThanOrEqual(2);

      await kubernetes.restart();
      await sees("after-restart");
      await kubernetes.kill();
      await kubernetes.start();
      await sees("after-crash");
      kubernetes.pause();
      const unanswered = configMaps.get("before", { timeoutMs: 1_000 });
      await expect(unanswered).rejects.toMatchObject({ code: "ERR_KUBE_TIMEOUT" });
      kubernetes.resume();
      await sees("after-silence");
      const { items } = valueOrThrow(await configMaps.list(), "list");
      expect(
        informer
          .list()
          .map(({ metadata }) => metadata?.uid)
          .sort(),
      ).toEqual(items.map(({ metadata }) => metadata?.uid).sort());
    }, 120_000);

    test("a leader loses the Lease when the API server is away, and another term begins afterwards", async () => {
      const leases = admin.client.resource(resources.leases, { namespace: "default" });
      const stop = new AbortController();
      const terms: { term: number; signal: AbortSignal }[] = [];
      const election = electLeader({
        leases,
        name: "e2e",
        identity: "only",
        leaseDurationMs: 3_000,
        renewDeadlineMs: 2_000,
        retryPeriodMs: 300,
        signal: stop.signal,
        lead: (leadership) => {
          terms.push(leadership);
          return new Promise((resolve) => leadership.signal.addEventListener("abort", () => resolve()));
        },
      });
      await until("a leader", () => terms.length === 1);
      await kubernetes.stop();
      await until("leadership lost", () => terms[0]?.signal.aborted);
      await kubernetes.start();
      await until("a leader again", () => terms.length === 2);
      stop.abort(new Error("done"));
      await election;
      const lease = valueOrThrow(await leases.get("e2e"), "get");
      expect(lease.spec).toMatchObject({ holderIdentity: "", leaseDurationSeconds: 1, leaseTransitions: 0 });
    }, 60_000);
  },
);
