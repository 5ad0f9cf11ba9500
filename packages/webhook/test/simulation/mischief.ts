import { Buffer } from "node:buffer";
import type { KubernetesApi } from "@newleaf/testing";
import { annotationNames } from "../../src/annotations.ts";
import { NAME, NAMESPACE, TARGETS } from "./plan.ts";
import type { Random } from "./random.ts";

type Stored = NonNullable<ReturnType<KubernetesApi["store"]["get"]>>;

/** What people and other controllers do to the objects of a webhook, by name. */
export type Mischief = (api: KubernetesApi, random: Random) => void;

const NAMES = annotationNames();
const GARBAGE = Buffer.from("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").toString(
  "base64",
);

/** What destroys knowledge, of which not all may be gone at once. */
export const DESTRUCTIVE: Readonly<Record<string, Mischief>> = {
  "the serving Secret is deleted": (api) => remove(api, "secrets", NAME),
  "the serving Secret is corrupted": (api, random) =>
    spoilSecret(api, NAME, random.pick(["tls.crt", "tls.key", "ca.crt"]), random),
  "the CA Secret is deleted": (api) => remove(api, "secrets", `${NAME}-ca`),
  "the CA Secret is corrupted": (api, random) => {
    const { data } = (read(api, "secrets", `${NAME}-ca`) ?? {}) as { data?: Record<string, string> };
    const files = Object.keys(data ?? {});
    if (files.length > 0) spoilSecret(api, `${NAME}-ca`, random.pick(files), random);
  },
  "the CA Secret is restored from a backup": (api, random) => {
    const { table } = api.store;
    const past = (table.since(table.oldestVersion) ?? []).flatMap(({ object }) => {
      const { data } = object as { data?: Record<string, string> };
      return object.metadata.name === `${NAME}-ca` && data ? [data] : [];
    });
    if (past.length === 0) return;
    const data = random.pick(past);
    change(api, "secrets", `${NAME}-ca`, (secret) => Object.assign(secret, { data: { ...data } }));
  },
  "a caBundle is wiped": (api, random) => spoilBundle(api, random.pick(TARGETS), random),
  "all caBundles are wiped": (api, random) => {
    for (const target of TARGETS) spoilBundle(api, target, random);
  },
  "a webhook configuration is created anew": (api, random) => {
    const target = random.pick(TARGETS);
    const storage = storageOf(target.kind);
    const found = api.store.get(storage, undefined, target.name) as
      | (Stored & { webhooks: { clientConfig: { caBundle?: string } }[] })
      | undefined;
    if (!found) return;
    const { apiVersion, kind, webhooks } = structuredClone(found);
    for (const { clientConfig } of webhooks) delete clientConfig.caBundle;
    api.store.delete(storage, undefined, target.name);
    api.store.create(storage, { apiVersion, kind, metadata: { name: target.name }, webhooks } as never);
  },
};

/** What costs nothing but work. */
export const HARMLESS: Readonly<Record<string, Mischief>> = {
  "the election Lease is deleted": (api) => remove(api, "leases.coordination.k8s.io", `${NAME}-leader`),
  "the serving Lease is deleted": (api) => remove(api, "leases.coordination.k8s.io", NAME),
  "the serving Lease is edited": (api, random) =>
    annotate(api, "leases.coordination.k8s.io", NAME, {
      [random.pick([NAMES.certHash, NAMES.caHash, NAMES.certReady])]: random.pick([
        undefined,
        "0".repeat(64),
        "false",
      ]),
    }),
  "a rollover is asked for": (api) =>
    annotate(api, "secrets", `${NAME}-ca`, { [NAMES.rolloverRequested]: "now" }),
  "the annotations of the CA Secret are edited": (api, random) =>
    annotate(api, "secrets", `${NAME}-ca`, {
      [random.pick([NAMES.leader, NAMES.rollover])]: random.pick([undefined, "{}", "x"]),
    }),
};

export function storageOf(kind: string): string {
  const plural = kind === "ValidatingWebhookConfiguration" ? "validating" : "mutating";
  return `${plural}webhookconfigurations.admissionregistration.k8s.io`;
}

function namespaceOf(resource: string): string | undefined {
  return resource.includes("webhook") ? undefined : NAMESPACE;
}

function read(api: KubernetesApi, resource: string, name: string): Stored | undefined {
  return api.store.get(resource, namespaceOf(resource), name);
}

function remove(api: KubernetesApi, resource: string, name: string): void {
  if (read(api, resource, name)) api.store.delete(resource, namespaceOf(resource), name);
}

function change(api: KubernetesApi, resource: string, name: string, edit: (object: Stored) => void): void {
  if (!read(api, resource, name)) return;
  api.store.change(resource, namespaceOf(resource), name, (current) => {
    const object = structuredClone(current) as Stored;
    edit(object);
    return object;
  });
}

function annotate(
  api: KubernetesApi,
  resource: string,
  name: string,
  annotations: Readonly<Record<string, string | undefined>>,
): void {
  change(api, resource, name, ({ metadata }) => {
    const all: Record<string, string | undefined> = { ...metadata.annotations, ...annotations };
    const kept = Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]));
    metadata.annotations = Object.fromEntries(kept);
  });
}

function spoilSecret(api: KubernetesApi, name: string, file: string, random: Random): void {
  change(api, "secrets", name, (secret) => {
    const data = (secret as { data?: Record<string, string> }).data ?? {};
    // A Secret of type kubernetes.io/tls must have its two files.
    if (random.chance(0.5) && !file.startsWith("tls.")) delete data[file];
    else data[file] = random.pick([GARBAGE, "", Buffer.from("x").toString("base64")]);
    (secret as { data?: object }).data = data;
  });
}

function spoilBundle(api: KubernetesApi, target: (typeof TARGETS)[number], random: Random): void {
  const value = random.pick([undefined, GARBAGE]);
  change(api, storageOf(target.kind), target.name, (object) => {
    for (const { clientConfig } of (
      object as unknown as { webhooks: { clientConfig: { caBundle?: string } }[] }
    ).webhooks) {
      if (value === undefined) delete clientConfig.caBundle;
      else clientConfig.caBundle = value;
    }
  });
}
