import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RolloverPlan } from "@newleaf/rotation";
import { type CsiVolume, createTestAuthority, startCsiVolume, type TestAuthority } from "@newleaf/testing";
import { createTrustBundle } from "@newleaf/x509";

/** Workloads with a volume of their own, and the names in their certificates. */
const WORKLOADS = {
  backend: { dnsNames: ["localhost", "backend-svc.mtls-demo.svc"] },
  frontend: { uris: ["spiffe://demo.test/ns/mtls-demo/sa/frontend"] },
  undici: { uris: ["spiffe://demo.test/ns/mtls-demo/sa/undici"] },
  curl: { uris: ["spiffe://demo.test/ns/mtls-demo/sa/curl"] },
  "openssl s_client": { uris: ["spiffe://demo.test/ns/mtls-demo/sa/openssl"] },
  python3: { uris: ["spiffe://demo.test/ns/mtls-demo/sa/python"] },
  legacy: { uris: ["spiffe://demo.test/ns/mtls-demo/sa/legacy"] },
} as const;

type Workload = keyof typeof WORKLOADS;

/** The cluster of the demo: one authority, and a CSI-like volume for each workload that renews by itself. */
export interface World extends AsyncDisposable {
  readonly volumes: Readonly<Record<Workload, CsiVolume>>;
  /** The authority that signs new leaves now. */
  authority(): TestAuthority;
  /** The next authority, and how the world comes to trust and use it. */
  roll(): Pick<RolloverPlan, "before" | "after" | "publish" | "switchLeaves">;
}

/** Long enough for the slowest machine to renew in time. */
const SHORTEST_LIFE_MS = 10_000;
/** It uses its first certificate only, and the demo has to see that one expire before the authority rolls over. */
const LEGACY_LIFE_MS = 4_000;

/** Starts the volumes in a temporary directory; each replaces its certificate every `rotateEveryMs`. */
export async function startWorld(rotateEveryMs: number): Promise<World> {
  let authority = createTestAuthority({ name: "demo" });
  let trusted: readonly TestAuthority[] = [authority];
  const root = await mkdtemp(join(tmpdir(), "newleaf-demo-"));
  const durationMs = Math.max(SHORTEST_LIFE_MS, 6 * rotateEveryMs);
  const trustPem = (): string => trusted.map((one) => one.trustPem).join("");

  const start = async (name: Workload): Promise<[Workload, CsiVolume]> => {
    const directory = join(root, name.replace(" ", "-"));
    const lifeMs = name === "legacy" ? Math.max(LEGACY_LIFE_MS, 2 * rotateEveryMs) : durationMs;
    await mkdir(directory);
    const volume = await startCsiVolume({
      directory,
      authority,
      issue: { commonName: name, dnsNames: [], ...WORKLOADS[name] },
      durationMs: lifeMs,
      renewBeforeMs: lifeMs - rotateEveryMs,
      layout: (identity, bundle) => ({
        ...identity.files(bundle),
        "crl.pem": trusted.map((one) => one.crlPem()).join(""),
      }),
    });
    return [name, volume];
  };
  // One after the other within the first interval: in a cluster, too, workloads do not renew in step.
  const names = Object.keys(WORKLOADS) as Workload[];
  const started: [Workload, CsiVolume][] = [];
  for (const name of names) {
    if (started.length > 0) await sleep(Math.min(1_000, rotateEveryMs) / names.length);
    started.push(await start(name));
  }
  const volumes = Object.fromEntries(started) as Record<Workload, CsiVolume>;
  const all = Object.values(volumes);

  return {
    volumes,
    authority: () => authority,
    roll() {
      const old = authority;
      const { next } = old.roll();
      return {
        before: createTrustBundle(old.certificates),
        after: createTrustBundle(next.certificates),
        async publish(trust) {
          trusted = [old, next].filter(({ root }) => trust.has(root.certificate));
          await Promise.all(all.map((volume) => volume.setTrust(trustPem())));
        },
        async switchLeaves() {
          authority = next;
          await Promise.all(all.map((volume) => volume.setAuthority(next)));
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((volume) => volume[Symbol.asyncDispose]()));
      await rm(root, { recursive: true, force: true });
    },
  };
}
