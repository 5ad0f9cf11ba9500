import {
  createKubeClient,
  type KubeClient,
  type Lease,
  type Logger,
  resources,
  valueOrThrow,
} from "@newleaf/kube";
import type { IdentityMaterial, IdentitySource } from "@newleaf/rotation";
import {
  createKubernetesApi,
  createManualClock,
  createTestAuthority,
  type KubernetesApi,
  type ManualClock,
  type TestIdentity,
} from "@newleaf/testing";
import { annotationNames } from "../src/annotations.ts";
import { type FollowCertificateOptions, followCertificate } from "../src/follower.ts";
import { sha256Hex } from "../src/lease-announcement.ts";
import { createMemoryMount, type MemoryMount } from "./memory-mount.ts";
import { seeded } from "./webhook-cluster.ts";

const NAMESPACE = "shop";
const NAMES = annotationNames();

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One certificate as a leader would store and announce it. */
export interface Issued {
  readonly identity: TestIdentity;
  readonly material: IdentityMaterial;
  readonly certHash: string;
  readonly caHash: string;
}

/** A follower, the API server it watches, the mount it reads, and a leader played by the test. */
export interface FollowerFixture extends AsyncDisposable {
  readonly api: KubernetesApi;
  readonly clock: ManualClock;
  readonly admin: KubeClient;
  readonly mount: MemoryMount;
  readonly log: readonly LogLine[];
  issue(): Issued;
  /** Writes the Lease. */
  announce(issued: Issued): Promise<void>;
  deleteLease(): Promise<void>;
  follow(options?: Partial<FollowCertificateOptions>): Promise<IdentitySource>;
  /** Lets what is under way settle, without time passing. */
  settle(): Promise<void>;
  messages(message: string): readonly LogLine[];
  podAnnotations(): Promise<Readonly<Record<string, string>>>;
}

export async function createFollowerFixture(): Promise<FollowerFixture> {
  const clock = createManualClock();
  const random = seeded(1);
  const api = createKubernetesApi({ clock, random, managedFields: false });
  const admin = createKubeClient({
    transport: api.transport({ user: "admin" }),
    clock,
    random,
    rateLimit: false,
  });
  const client = createKubeClient({
    transport: api.transport({ user: "shop-0" }),
    clock,
    random,
    rateLimit: false,
  });
  const namespaces = admin.resource(resources.namespaces);
  valueOrThrow(await namespaces.create({ metadata: { name: NAMESPACE } }), "create namespace");
  const pods = admin.resource(resources.pods, { namespace: NAMESPACE });
  const spec = { containers: [{ name: "webhook", image: "webhook" }] };
  valueOrThrow(await pods.create({ metadata: { name: "shop-0" }, spec }), "create pod");
  const leases = admin.resource(resources.leases, { namespace: NAMESPACE });
  const authority = createTestAuthority({ now: () => clock.now() });
  const mount = createMemoryMount();
  const log: LogLine[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void log.push({ level, message, fields: fields as Record<string, unknown> });
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  const opened: IdentitySource[] = [];
  const settle = async (): Promise<void> => clock.advance(0);

  return {
    api,
    clock,
    admin,
    mount,
    log,
    settle,
    issue() {
      const identity = authority.issue({ dnsNames: ["webhook.shop.svc"] });
      const material = {
        certificates: identity.chainPem,
        key: identity.keyPem,
        trust: authority.trustPem,
      };
      return {
        identity,
        material,
        certHash: sha256Hex(identity.chainPem),
        caHash: sha256Hex(authority.trustPem),
      };
    },
    async announce({ certHash, caHash }) {
      const annotations = {
        [NAMES.certReady]: "true",
        [NAMES.certHash]: certHash,
        [NAMES.caHash]: caHash,
      };
      const lease: Lease = {
        metadata: { name: "shop-webhook", annotations },
        spec: { holderIdentity: "shop-1" },
      };
      const patched = await leases.patch("shop-webhook", { type: "merge", body: lease });
      if (!patched.ok) valueOrThrow(await leases.create(lease), "create lease");
      await settle();
    },
    async deleteLease() {
      valueOrThrow(await leases.delete("shop-webhook"), "delete lease");
      await settle();
    },
    async follow(options = {}) {
      const source = await followCertificate({
        leases: client.resource(resources.leases, { namespace: NAMESPACE }),
        name: "shop-webhook",
        mount: mount.open,
        acknowledge: {
          pods: client.resource(resources.pods, { namespace: NAMESPACE }),
          pod: { name: "shop-0" },
        },
        ...{ clock, logger, random },
        ...options,
      });
      opened.push(source);
      return source;
    },
    messages: (message) => log.filter((line) => line.message === message),
    async podAnnotations() {
      return valueOrThrow(await pods.get("shop-0"), "get pod").metadata?.annotations ?? {};
    },
    async [Symbol.asyncDispose]() {
      for (const source of opened) await source[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
      await admin[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}
